# SPDX-License-Identifier: BSD-2-Clause
#
# Turns the records of bench/run into its tables, or with form=json into JSON. Samples come
# sorted.

BEGIN {
	FS = "|"
}

$1 == "date" || $1 == "machine" || $1 == "versions" {
	about[$1] = $2
}

$1 == "contestant" {
	name[++names] = $2
	unit[$2] = $3
}

$1 == "sample" && $3 + 0 > 0 {
	sample[$2, ++count[$2]] = $3
}

$1 == "target" {
	text[++targets] = $2
	ours[targets] = $3
	how[targets] = $4
	factor[targets] = $5
	references[targets] = $6
}

function median(of,    half) {
	half = int((count[of] + 1) / 2)
	if (count[of] % 2)
		return sample[of, half] + 0
	return (sample[of, half] + sample[of, half + 1]) / 2
}

# Of the references that were measured, the hardest to reach.
function hardest(target,    list, n, i, found) {
	n = split(references[target], list, " ")
	for (i = 1; i <= n; i++) {
		if (!count[list[i]])
			continue
		if (!found || (how[target] == "most") == (median(list[i]) < median(found)))
			found = list[i]
	}
	return found
}

# By which part of the limit it is missed; 0 and below when it is reached.
function shortfall(target, limit) {
	return how[target] == "most" ? median(ours[target]) / limit - 1 : \
				       1 - median(ours[target]) / limit
}

function verdict(target, limit,    short) {
	short = shortfall(target, limit)
	return short <= 0 ? "reached" : sprintf("short by %.0f %%", 100 * short)
}

function print_figures(    i, n) {
	printf "%-20s %12s %12s %12s\n", "", "median", "least", "most"
	for (i = 1; i <= names; i++) {
		n = name[i]
		if (count[n])
			printf "%-20s %12.3f %12.3f %12.3f  %s\n", n, median(n), sample[n, 1],
				sample[n, count[n]], unit[n]
		else
			printf "%-20s %12s\n", n, "not measured"
	}
}

function print_targets(    i, reference, limit) {
	printf "%-36s %10s %10s %7s\n", "target", "ours", "limit", "ratio"
	for (i = 1; i <= targets; i++) {
		reference = hardest(i)
		if (!reference || !count[ours[i]]) {
			printf "%-36s %10s\n", text[i], "not measured"
			continue
		}
		limit = factor[i] * median(reference)
		printf "%-36s %10.3f %10.3f %7.2f  %s (at %s %s × %s)\n", text[i],
			median(ours[i]), limit, median(ours[i]) / median(reference),
			verdict(i, limit), how[i], factor[i], reference
	}
}

function print_json(    i, j, n, reference, limit) {
	printf "{\n  \"date\": \"%s\",\n  \"machine\": \"%s\",\n  \"versions\": \"%s\",\n", \
		about["date"], about["machine"], about["versions"]
	print "  \"results\": ["
	for (i = 1; i <= names; i++) {
		n = name[i]
		printf "    {\"name\": \"%s\", \"unit\": \"%s\", \"median\": %s, \"samples\": [", n,
			unit[n], (count[n] ? median(n) : "null")
		for (j = 1; j <= count[n]; j++)
			printf "%s%s", (j > 1 ? ", " : ""), sample[n, j]
		printf "]}%s\n", (i < names ? "," : "")
	}
	print "  ],\n  \"targets\": ["
	for (i = 1; i <= targets; i++) {
		reference = hardest(i)
		limit = reference ? factor[i] * median(reference) : 0
		printf "    {\"target\": \"%s\", \"ours\": \"%s\", \"reference\": \"%s\", ", text[i],
			ours[i], reference
		if (reference && count[ours[i]])
			printf "\"at_%s\": %s, \"ratio\": %.3f, \"reached\": %s}", how[i], limit,
				median(ours[i]) / median(reference),
				(shortfall(i, limit) <= 0 ? "true" : "false")
		else
			printf "\"at_%s\": null, \"ratio\": null, \"reached\": null}", how[i]
		print (i < targets ? "," : "")
	}
	print "  ]\n}"
}

END {
	if (form == "json") {
		print_json()
		exit
	}
	printf "%s\n%s\n%s\nmedians of %d runs, " (where ? where : "two processes of one host") "\n\n", about["date"],
		about["machine"], about["versions"], count[name[1]]
	print_figures()
	print ""
	print_targets()
}
