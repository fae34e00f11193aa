"""Compile the extension _krb5 (cffi, API mode) beside this file: cd ceo_common/krb5 && python krb5_build.py."""

from pathlib import Path

from cffi import FFI

ffibuilder = FFI()

ffibuilder.cdef("""
typedef int32_t krb5_int32;
typedef krb5_int32 krb5_error_code;
typedef krb5_int32 krb5_flags;
typedef krb5_int32 krb5_timestamp;
typedef krb5_int32 krb5_deltat;
typedef krb5_int32 krb5_enctype;
typedef unsigned int krb5_kvno;
typedef unsigned int krb5_boolean;
typedef unsigned char krb5_octet;
typedef long kadm5_ret_t;

typedef struct _krb5_context *krb5_context;
typedef struct _krb5_auth_context *krb5_auth_context;
typedef struct _krb5_ccache *krb5_ccache;
typedef struct _krb5_kt *krb5_keytab;
typedef struct _krb5_cccol_cursor *krb5_cccol_cursor;
typedef struct _krb5_get_init_creds_opt krb5_get_init_creds_opt;
typedef void *krb5_pointer;
typedef void *krb5_cc_cursor;
typedef void *krb5_kt_cursor;

typedef struct { unsigned int length; char *data; ...; } krb5_data;
typedef struct { krb5_enctype enctype; ...; } krb5_keyblock;
typedef struct krb5_principal_data { krb5_data realm; krb5_data *data; krb5_int32 length; ...; } krb5_principal_data;
typedef krb5_principal_data *krb5_principal;
typedef const krb5_principal_data *krb5_const_principal;
typedef struct { krb5_timestamp authtime, starttime, endtime, renew_till; ...; } krb5_ticket_times;
typedef struct {
    krb5_principal client; krb5_principal server; krb5_keyblock keyblock; krb5_ticket_times times; krb5_flags ticket_flags;
    krb5_data ticket; ...;
} krb5_creds;
typedef struct { krb5_principal principal; krb5_kvno vno; krb5_keyblock key; ...; } krb5_keytab_entry;
typedef struct { ...; } krb5_replay_data;
typedef struct { ...; } krb5_address;

#define KRB5_CC_END ...
#define KRB5_KT_END ...
#define KRB5_CC_NOTFOUND ...
#define KRB5_FCC_NOFILE ...
#define KRB5KDC_ERR_KEY_EXP ...
#define KRB5KDC_ERR_PREAUTH_FAILED ...
#define KRB5KRB_AP_ERR_BAD_INTEGRITY ...
#define KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN ...
#define KRB5_KDC_UNREACH ...
#define KRB5_RC_MALLOC ...
#define KRB5_RC_TYPE_NOTFOUND ...
#define KRB5_RC_UNKNOWN ...
#define KRB5_RC_IO ...
#define KRB5_RC_NOIO ...
#define KRB5_RC_PARSE ...
#define KRB5_RC_IO_EOF ...
#define KRB5_RC_IO_MALLOC ...
#define KRB5_RC_IO_PERM ...
#define KRB5_RC_IO_IO ...
#define KRB5_RC_IO_UNKNOWN ...
#define KRB5_RC_IO_SPACE ...
#define KRB5_RCACHE_BADVNO ...
#define KRB5_REALM_CANT_RESOLVE ...
#define KRB5KRB_AP_ERR_SKEW ...
#define KRB5KRB_AP_ERR_TKT_EXPIRED ...
#define KDC_OPT_FORWARDED ...
#define TKT_FLG_FORWARDABLE ...
#define TKT_FLG_INITIAL ...
#define KRB5_PRINCIPAL_UNPARSE_NO_REALM ...

krb5_error_code krb5_init_context(krb5_context *);
void krb5_free_context(krb5_context);
const char *krb5_get_error_message(krb5_context, krb5_error_code);
void krb5_free_error_message(krb5_context, const char *);
krb5_error_code krb5_get_default_realm(krb5_context, char **);
void krb5_free_default_realm(krb5_context, char *);

krb5_error_code krb5_parse_name(krb5_context, const char *, krb5_principal *);
krb5_error_code krb5_unparse_name(krb5_context, krb5_const_principal, char **);
void krb5_free_unparsed_name(krb5_context, char *);
void krb5_free_principal(krb5_context, krb5_principal);
krb5_error_code krb5_copy_principal(krb5_context, krb5_const_principal, krb5_principal *);

krb5_error_code krb5_cc_default(krb5_context, krb5_ccache *);
krb5_error_code krb5_cc_resolve(krb5_context, const char *, krb5_ccache *);
krb5_error_code krb5_cc_new_unique(krb5_context, const char *, const char *, krb5_ccache *);
krb5_error_code krb5_cc_initialize(krb5_context, krb5_ccache, krb5_principal);
krb5_error_code krb5_cc_get_principal(krb5_context, krb5_ccache, krb5_principal *);
krb5_error_code krb5_cc_get_full_name(krb5_context, krb5_ccache, char **);
krb5_error_code krb5_cc_store_cred(krb5_context, krb5_ccache, krb5_creds *);
krb5_error_code krb5_cc_retrieve_cred(krb5_context, krb5_ccache, krb5_flags, krb5_creds *, krb5_creds *);
krb5_error_code krb5_cc_start_seq_get(krb5_context, krb5_ccache, krb5_cc_cursor *);
krb5_error_code krb5_cc_next_cred(krb5_context, krb5_ccache, krb5_cc_cursor *, krb5_creds *);
krb5_error_code krb5_cc_end_seq_get(krb5_context, krb5_ccache, krb5_cc_cursor *);
krb5_error_code krb5_cc_close(krb5_context, krb5_ccache);
krb5_error_code krb5_cc_destroy(krb5_context, krb5_ccache);
void krb5_free_string(krb5_context, char *);

krb5_error_code krb5_kt_default(krb5_context, krb5_keytab *);
krb5_error_code krb5_kt_resolve(krb5_context, const char *, krb5_keytab *);
krb5_error_code krb5_kt_close(krb5_context, krb5_keytab);
krb5_error_code krb5_kt_start_seq_get(krb5_context, krb5_keytab, krb5_kt_cursor *);
krb5_error_code krb5_kt_next_entry(krb5_context, krb5_keytab, krb5_keytab_entry *, krb5_kt_cursor *);
krb5_error_code krb5_kt_end_seq_get(krb5_context, krb5_keytab, krb5_kt_cursor *);
krb5_error_code krb5_free_keytab_entry_contents(krb5_context, krb5_keytab_entry *);

krb5_error_code krb5_get_init_creds_opt_alloc(krb5_context, krb5_get_init_creds_opt **);
void krb5_get_init_creds_opt_free(krb5_context, krb5_get_init_creds_opt *);
void krb5_get_init_creds_opt_set_forwardable(krb5_get_init_creds_opt *, int);
void krb5_get_init_creds_opt_set_tkt_life(krb5_get_init_creds_opt *, krb5_deltat);
krb5_error_code krb5_get_init_creds_password(krb5_context, krb5_creds *, krb5_principal, const char *, void *, void *, krb5_deltat,
    const char *, krb5_get_init_creds_opt *);
krb5_error_code krb5_get_init_creds_keytab(krb5_context, krb5_creds *, krb5_principal, krb5_keytab, krb5_deltat, const char *,
    krb5_get_init_creds_opt *);
krb5_error_code krb5_change_password(krb5_context, krb5_creds *, const char *, int *, krb5_data *, krb5_data *);
void krb5_free_cred_contents(krb5_context, krb5_creds *);
void krb5_free_creds(krb5_context, krb5_creds *);
void krb5_free_tgt_creds(krb5_context, krb5_creds **);
void krb5_free_data_contents(krb5_context, krb5_data *);
void krb5_free_data(krb5_context, krb5_data *);

krb5_error_code krb5_auth_con_init(krb5_context, krb5_auth_context *);
krb5_error_code krb5_auth_con_free(krb5_context, krb5_auth_context);
krb5_error_code krb5_auth_con_setflags(krb5_context, krb5_auth_context, krb5_int32);
krb5_error_code krb5_mk_1cred(krb5_context, krb5_auth_context, krb5_creds *, krb5_data **, krb5_replay_data *);
krb5_error_code krb5_rd_cred(krb5_context, krb5_auth_context, krb5_data *, krb5_creds ***, krb5_replay_data *);
krb5_error_code krb5_get_cred_via_tkt(krb5_context, krb5_creds *, krb5_flags, krb5_address *const *, krb5_creds *, krb5_creds **);

typedef struct _krb5_tl_data {
    struct _krb5_tl_data *tl_data_next; short tl_data_type; unsigned short tl_data_length; krb5_octet *tl_data_contents;
} krb5_tl_data;
typedef struct {
    krb5_principal principal; krb5_timestamp princ_expire_time; krb5_timestamp last_pwd_change; krb5_timestamp pw_expiration;
    krb5_flags attributes; krb5_kvno kvno; char *policy; short n_tl_data; krb5_tl_data *tl_data; ...;
} kadm5_principal_ent_rec;
typedef struct { long mask; ...; } kadm5_config_params;

#define KADM5_STRUCT_VERSION ...
#define KADM5_API_VERSION_4 ...
#define KADM5_PRINCIPAL ...
#define KADM5_ATTRIBUTES ...
#define KADM5_TL_DATA ...
#define KADM5_PRINC_EXPIRE_TIME ...
#define KADM5_PRINCIPAL_NORMAL_MASK ...
#define KADM5_UNK_PRINC ...
#define KADM5_DUP ...
#define KADM5_RPC_ERROR ...
#define KADM5_AUTH_ADD ...
#define KADM5_AUTH_DELETE ...
#define KADM5_AUTH_MODIFY ...
#define KADM5_AUTH_CHANGEPW ...
#define KADM5_AUTH_GET ...
#define KADM5_AUTH_INSUFFICIENT ...
#define KRB5_KDB_REQUIRES_PWCHANGE ...
#define KRB5_KDB_DISALLOW_ALL_TIX ...
#define KRB5_KDB_REQUIRES_PRE_AUTH ...

kadm5_ret_t kadm5_init_krb5_context(krb5_context *);
kadm5_ret_t kadm5_init_with_skey(krb5_context, char *, char *, char *, kadm5_config_params *, unsigned int, unsigned int, char **, void **);
kadm5_ret_t kadm5_init_with_password(krb5_context, char *, char *, char *, kadm5_config_params *, unsigned int, unsigned int, char **, void **);
kadm5_ret_t kadm5_create_principal(void *, kadm5_principal_ent_rec *, long, char *);
kadm5_ret_t kadm5_get_principal(void *, krb5_principal, kadm5_principal_ent_rec *, long);
kadm5_ret_t kadm5_modify_principal(void *, kadm5_principal_ent_rec *, long);
kadm5_ret_t kadm5_delete_principal(void *, krb5_principal);
kadm5_ret_t kadm5_chpass_principal(void *, krb5_principal, char *);
kadm5_ret_t kadm5_get_principals(void *, char *, char ***, int *);
kadm5_ret_t kadm5_free_name_list(void *, char **, int);
kadm5_ret_t kadm5_free_principal_ent(void *, kadm5_principal_ent_rec *);
kadm5_ret_t kadm5_destroy(void *);
""")

ffibuilder.set_source(
    "ceo_common.krb5._krb5",
    """
    #include <krb5.h>
    #include <kadm5/admin.h>
    /* Exported by libkrb5 (krb5_3_MIT) though not in krb5.h: the one call that asks a KDC for a forwarded ticket of a chosen end. */
    krb5_error_code krb5_get_cred_via_tkt(krb5_context, krb5_creds *, krb5_flags, krb5_address *const *, krb5_creds *, krb5_creds **);
    """,
    libraries=["krb5", "kadm5clnt_mit"],
)

if __name__ == "__main__":
    ffibuilder.compile(tmpdir=str(Path(__file__).resolve().parents[2]), verbose=True)
