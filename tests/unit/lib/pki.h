/* SPDX-License-Identifier: BSD-2-Clause */
/* Throw-away authorities and certificates, as PEM files in a directory of the test's own.
 */
#ifndef TESTS_PKI_H
#define TESTS_PKI_H

struct pki_leaf {
	const char *name;   /* of the files: NAME.pem, NAME.key; and the common name */
	const char *issuer; /* an authority */
	const char *names;  /* subject alternative names as OpenSSL writes them:
	                       "DNS:a,URI:b" */
	const char *usage;  /* extended key usage, "serverAuth"; NULL: any */
	long from;          /* seconds from now */
	long until;
};

/* The directory, with authorities `ca` and `other`, and leaves of `ca`: `server`
 * (localhost, 127.0.0.1, ::1) and `client` (spiffe://test/client). */
void pki_open(void);
void pki_close(void);
/* The same as cmocka has it. */
int pki_set_up(void **state);
int pki_tear_down(void **state);
void pki_authority(const char *name);
void pki_issue(const struct pki_leaf *leaf);

/* One whose server has to staple an OCSP response (RFC 7633). */
void pki_issue_stapled(const struct pki_leaf *leaf);

/* NAME.crl: a list of the authority on which `revoked` is (NULL: nobody). */
void pki_crl(const char *name, const char *authority, const char *revoked, long until);

/* NAME.ocsp: what the signer says of a leaf of `issuer`: `status` as V_OCSP_CERTSTATUS_…
 */
void pki_ocsp(const char *name, const char *signer, const char *leaf, const char *issuer,
              int status, long until);

/* A file in the directory; one of four buffers that take turns. */
const char *pki_path(const char *name, const char *suffix);

#endif
