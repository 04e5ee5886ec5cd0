/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy's file: YAML, of which libyaml says where everything stands. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "program/fault.h"
#include "server/policy.h"

#define RULES_MAX 10000

struct reader {
	const char *path;
	const struct exports *exports;
	yaml_document_t document;
};

struct key {
	const char *name;
	int (*take)(struct reader *reader, yaml_node_t *node, void *target);
	bool required;
};

struct word {
	const char *name;
	unsigned rights;
};

static const struct word session_words[] = {
	{ "ping", ACCESS_PING },
	{ "send", ACCESS_SEND },
	{ "scratch-read", ACCESS_SCRATCH_READ },
	{ "scratch-write", ACCESS_SCRATCH_WRITE },
	{ "scratch", ACCESS_SCRATCH_READ | ACCESS_SCRATCH_WRITE },
	{ "all", ACCESS_ALL },
	{ NULL, 0 },
};

static const struct word export_words[] = {
	{ "ls", ACCESS_LS },          { "get", ACCESS_GET },
	{ "put", ACCESS_PUT },        { "replace", ACCESS_PUT | ACCESS_REPLACE },
	{ "all", ACCESS_EXPORT_ALL }, { NULL, 0 },
};

static int __attribute__((format(printf, 3, 4)))
wrong_at(const struct reader *reader, const yaml_mark_t *mark, const char *format, ...)
{
	char text[FAULT_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return fault(FAULT_CONFIG, "%.150s:%zu:%zu: %s", reader->path, mark->line + 1,
	             mark->column + 1, text);
}

static yaml_node_t *node_of(struct reader *reader, int number)
{
	return yaml_document_get_node(&reader->document, number);
}

/* Text of a scalar; one with a zero byte in it is none. */
static const char *text_of(const yaml_node_t *node)
{
	const char *text;

	if (node->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)node->data.scalar.value;
	return strlen(text) == node->data.scalar.length ? text : NULL;
}

static int take_text(struct reader *reader, yaml_node_t *node, const char **out)
{
	const char *text = text_of(node);

	if (!text || !*text)
		return wrong_at(reader, &node->start_mark, "this has to be a text");
	*out = text;
	return 0;
}

static unsigned list_length(const yaml_node_t *node)
{
	return (unsigned)(node->data.sequence.items.top -
	                  node->data.sequence.items.start);
}

static int check_list(struct reader *reader, const yaml_node_t *node, const char *of)
{
	if (node->type != YAML_SEQUENCE_NODE || !list_length(node))
		return wrong_at(reader, &node->start_mark,
		                "this has to be a list of %s, and not empty", of);
	return 0;
}

static yaml_node_t *list_item(struct reader *reader, const yaml_node_t *node, unsigned n)
{
	return node_of(reader, node->data.sequence.items.start[n]);
}

/*
 * Mappings
 */

static const struct key *find_key(const struct key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

static int check_mapping(struct reader *reader, const yaml_node_t *node, const char *of)
{
	if (node->type == YAML_MAPPING_NODE)
		return 0;
	return wrong_at(reader, &node->start_mark, "this has to be 'name: value' of %s",
	                of);
}

/* libyaml permits a key twice, and programs differ in which they take. */
static int check_once(struct reader *reader, const yaml_node_t *node,
                      const yaml_node_pair_t *pair)
{
	yaml_node_t *key = node_of(reader, pair->key);
	const char *name = text_of(key);

	if (!name)
		return wrong_at(reader, &key->start_mark, "a name has to be a text");
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < pair; p++)
		if (strcmp(text_of(node_of(reader, p->key)), name) == 0)
			return wrong_at(reader, &key->start_mark,
			                "'%.60s' stands here twice", name);
	return 0;
}

static int check_required(struct reader *reader, const yaml_node_t *node,
                          const struct key *keys, const char *of)
{
	for (; keys->name; keys++) {
		bool found = !keys->required;

		for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
		     p < node->data.mapping.pairs.top; p++)
			found |=
			        strcmp(text_of(node_of(reader, p->key)), keys->name) == 0;
		if (!found)
			return wrong_at(reader, &node->start_mark, "%s lacks '%s'", of,
			                keys->name);
	}
	return 0;
}

/* Each 'name: value', none twice. */
static int each_pair(struct reader *reader, const yaml_node_t *node, const char *of,
                     int (*take)(struct reader *, const yaml_node_pair_t *, void *),
                     void *target)
{
	int error = check_mapping(reader, node, of);

	if (error)
		return error;
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     !error && pair < node->data.mapping.pairs.top; pair++) {
		error = check_once(reader, node, pair);
		if (!error)
			error = take(reader, pair, target);
	}
	return error;
}

/* What a pair of a mapping with known keys is for. */
struct mapping {
	const struct key *keys;
	const char *of;
	void *target;
};

static int take_pair(struct reader *reader, const yaml_node_pair_t *pair, void *target)
{
	const struct mapping *mapping = target;
	yaml_node_t *name = node_of(reader, pair->key);
	const struct key *key = find_key(mapping->keys, text_of(name));

	if (!key)
		return wrong_at(reader, &name->start_mark, "%s has no '%.60s'",
		                mapping->of, text_of(name));
	return key->take(reader, node_of(reader, pair->value), mapping->target);
}

static int take_mapping(struct reader *reader, const yaml_node_t *node,
                        const struct key *keys, const char *of, void *target)
{
	struct mapping mapping = { keys, of, target };
	int error = each_pair(reader, node, of, take_pair, &mapping);

	return error ? error : check_required(reader, node, keys, of);
}

/* A list into an array of its own, in *at even on failure, of *count so far. */
static int take_items(struct reader *reader, const yaml_node_t *node, size_t size,
                      int (*take)(struct reader *, yaml_node_t *, void *), void **at,
                      unsigned *count)
{
	int error = 0;

	*at = calloc(list_length(node) + 1, size);
	if (!*at)
		return fault(FAULT_MEMORY, "out of memory");
	for (; !error && *count < list_length(node); ++*count)
		error = take(reader, list_item(reader, node, *count),
		             (char *)*at + *count * size);
	return error;
}

/*
 * Rights
 */

static int no_word(struct reader *reader, const yaml_node_t *node,
                   const struct word *words, const char *name)
{
	char known[120] = "";
	size_t used = 0;

	for (; words->name && used < sizeof(known); words++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
		                         used ? ", " : "", words->name);
	return wrong_at(reader, &node->start_mark,
	                "there is no right '%.60s' here; there are: %s", name, known);
}

static int take_words(struct reader *reader, const yaml_node_t *node,
                      const struct word *words, unsigned *rights)
{
	int error = check_list(reader, node, "rights");

	for (unsigned i = 0; !error && i < list_length(node); i++) {
		yaml_node_t *item = list_item(reader, node, i);
		const struct word *word = words;
		const char *name = NULL;

		error = take_text(reader, item, &name);
		if (error)
			return error;
		while (word->name && strcmp(word->name, name) != 0)
			word++;
		if (!word->name)
			return no_word(reader, item, words, name);
		*rights |= word->rights;
	}
	return error;
}

static int take_allow(struct reader *reader, yaml_node_t *node, void *target)
{
	struct policy_rule *rule = target;

	return take_words(reader, node, session_words, &rule->rights);
}

/* "*": all of them. */
static bool give(const struct reader *reader, struct policy_rule *rule, const char *name,
                 unsigned rights)
{
	bool found = false, all = strcmp(name, "*") == 0;

	for (unsigned i = 0; i < reader->exports->count; i++) {
		if (!all && strcmp(reader->exports->list[i].name, name) != 0)
			continue;
		rule->exports[i] |= (uint8_t)rights;
		found = true;
	}
	return found || all;
}

static int take_export(struct reader *reader, const yaml_node_pair_t *pair, void *target)
{
	struct policy_rule *rule = target;
	yaml_node_t *key = node_of(reader, pair->key);
	unsigned rights = 0;
	int error =
	        take_words(reader, node_of(reader, pair->value), export_words, &rights);

	if (error)
		return error;
	if (!give(reader, rule, text_of(key), rights))
		return wrong_at(reader, &key->start_mark,
		                "the server has no export '%.60s' (option --export)",
		                text_of(key));
	return 0;
}

static int take_exports(struct reader *reader, yaml_node_t *node, void *target)
{
	return each_pair(reader, node, "exports", take_export, target);
}

/*
 * Names
 */

static int take_pattern(struct reader *reader, const yaml_node_t *node,
                        enum policy_kind kind, struct policy_who *who)
{
	const char *text = text_of(node), *why;

	if (!text || !policy_pattern_is_good(kind, text, &why))
		return wrong_at(reader, &node->start_mark, "this is not %s",
		                text ? why : "a text");
	who->kind = kind;
	who->pattern = strdup(text);
	return who->pattern ? 0 : fault(FAULT_MEMORY, "out of memory");
}

static int take_uri(struct reader *reader, yaml_node_t *node, void *target)
{
	return take_pattern(reader, node, POLICY_URI, target);
}

static int take_dns(struct reader *reader, yaml_node_t *node, void *target)
{
	return take_pattern(reader, node, POLICY_DNS, target);
}

static int take_cn(struct reader *reader, yaml_node_t *node, void *target)
{
	return take_pattern(reader, node, POLICY_CN, target);
}

static int take_certificate(struct reader *reader, yaml_node_t *node, void *target)
{
	return take_pattern(reader, node, POLICY_CERT, target);
}

static const struct key who_keys[] = {
	{ "uri", take_uri, false }, { "dns", take_dns, false },
	{ "cn", take_cn, false },   { "sha256", take_certificate, false },
	{ NULL, NULL, false },
};

/* One name each: two in one entry could be read as "and". */
static int take_one_who(struct reader *reader, yaml_node_t *node, void *target)
{
	struct policy_who *who = target;
	const char *text = text_of(node);

	if (text && strcmp(text, "any") == 0) {
		who->kind = POLICY_ANY;
		return 0;
	}
	if (node->type != YAML_MAPPING_NODE ||
	    node->data.mapping.pairs.top - node->data.mapping.pairs.start != 1)
		return wrong_at(reader, &node->start_mark,
		                "this has to be one of 'uri: …', 'dns: …', 'cn: …', "
		                "'sha256: …', or 'any'");
	return take_mapping(reader, node, who_keys, "a name", who);
}

static int take_who(struct reader *reader, yaml_node_t *node, void *target)
{
	struct policy_rule *rule = target;
	void *items = NULL;
	int error = check_list(reader, node, "names");

	if (!error)
		error = take_items(reader, node, sizeof(*rule->who), take_one_who, &items,
		                   &rule->who_count);
	rule->who = items;
	return error;
}

/*
 * The file
 */

static int take_limit(struct reader *reader, const yaml_node_pair_t *pair, void *target)
{
	struct limits *limits = target;
	yaml_node_t *key = node_of(reader, pair->key);
	yaml_node_t *value = node_of(reader, pair->value);
	const char *text = NULL, *name = text_of(key);
	enum limit limit = limit_find(name, strlen(name));
	char why[FAULT_TEXT];

	if (limit == LIMIT_COUNT)
		return wrong_at(reader, &key->start_mark,
		                "there is no limit '%.60s'; there are: sessions, memory, "
		                "files, messages",
		                name);
	if (take_text(reader, value, &text))
		return -FAULT_CONFIG;
	if (!limit_parse(limit, text, &limits->value[limit]))
		return 0;
	snprintf(why, sizeof(why), "%s", fault_text());
	return wrong_at(reader, &value->start_mark, "%.200s", why);
}

static int take_limits(struct reader *reader, yaml_node_t *node, void *target)
{
	struct policy_rule *rule = target;

	return each_pair(reader, node, "limits", take_limit, &rule->limits);
}

static const struct key rule_keys[] = {
	{ "who", take_who, true },
	{ "allow", take_allow, false },
	{ "exports", take_exports, false },
	{ "limits", take_limits, false },
	{ NULL, NULL, false },
};

static int take_rule(struct reader *reader, yaml_node_t *node, void *target)
{
	struct policy_rule *rule = target;

	/* One more, so that none is not no memory. */
	rule->exports = calloc(reader->exports->count + 1, 1);
	if (!rule->exports)
		return fault(FAULT_MEMORY, "out of memory");
	return take_mapping(reader, node, rule_keys, "a rule", rule);
}

static int take_rules(struct reader *reader, yaml_node_t *node, void *target)
{
	struct policy *policy = target;
	void *items = NULL;
	int error = check_list(reader, node, "rules");

	if (!error && list_length(node) > RULES_MAX)
		return wrong_at(reader, &node->start_mark, "more than %d rules",
		                RULES_MAX);
	if (!error)
		error = take_items(reader, node, sizeof(*policy->rules), take_rule,
		                   &items, &policy->rule_count);
	policy->rules = items;
	return error;
}

static const struct key policy_keys[] = {
	{ "rules", take_rules, true },
	{ NULL, NULL, false },
};

static int not_yaml(const struct reader *reader, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "out of memory";

	if (parser->error == YAML_READER_ERROR)
		return fault(FAULT_CONFIG,
		             "%.150s: byte %zu: %s: it has to be YAML in UTF-8",
		             reader->path, parser->problem_offset + 1, problem);
	return wrong_at(reader, &parser->problem_mark, "%s", problem);
}

/* A second document would be a policy that nobody reads. */
static int check_end(const struct reader *reader, yaml_parser_t *parser)
{
	yaml_document_t more;
	yaml_node_t *root;
	int error = 0;

	if (!yaml_parser_load(parser, &more))
		return not_yaml(reader, parser);
	root = yaml_document_get_root_node(&more);
	if (root)
		error = wrong_at(reader, &root->start_mark,
		                 "there is a second document: a policy is one");
	yaml_document_delete(&more);
	return error;
}

static int take_document(struct reader *reader, yaml_parser_t *parser,
                         struct policy *policy)
{
	const yaml_mark_t begin = { 0 };
	yaml_node_t *root;
	int error;

	if (!yaml_parser_load(parser, &reader->document))
		return not_yaml(reader, parser);
	root = yaml_document_get_root_node(&reader->document);
	if (root)
		error = take_mapping(reader, root, policy_keys, "a policy", policy);
	else
		error = wrong_at(reader, &begin, "a policy lacks 'rules'");
	yaml_document_delete(&reader->document);
	return error ? error : check_end(reader, parser);
}

static int take_file(struct reader *reader, FILE *file, struct policy *policy)
{
	yaml_parser_t parser;
	int error;

	if (!yaml_parser_initialize(&parser))
		return fault(FAULT_MEMORY, "out of memory");
	yaml_parser_set_input_file(&parser, file);
	error = take_document(reader, &parser, policy);
	yaml_parser_delete(&parser);
	return error;
}

int policy_read(const char *path, const struct exports *exports, struct policy **out)
{
	struct reader reader = { .path = path, .exports = exports };
	struct policy *policy = calloc(1, sizeof(*policy));
	FILE *file;
	int error;

	if (!policy)
		return fault(FAULT_MEMORY, "out of memory");
	policy->references = 1;
	file = fopen(path, "re");
	if (!file) {
		error = fault_errno(errno, "cannot read the policy '%.150s'", path);
	} else {
		error = take_file(&reader, file, policy);
		fclose(file);
	}
	if (error)
		policy_drop(policy);
	else
		*out = policy;
	return error;
}
