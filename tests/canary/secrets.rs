//! The secrets of the tests, each another text, wherever an inventory may hold one.

use std::path::Path;
use std::sync::LazyLock;

use pq_secrets::Recipients;
use pq_tests::Forms;

/// The one that most cases are about.
pub const PASSWORD: &str = "canary/9f+Vogel=\"27";

/// Of several lines, as a private key is.
pub const KEY: &str = "-----BEGIN CANARY KEY-----\nY2FuYXJ5LWtleS1saW5lLW9uZS1vZi10d28\n\
                       ZWluZS16d2VpdGUtWmVpbGUtZGVyLUthbmFy\n-----END CANARY KEY-----\n";

/// What stands in `group_vars/all/secrets.yml.age`.
pub const SEALED: &str = r#"password: 'canary/9f+Vogel="27'
master_key: canary-master/2h+Uhu=61-derives
pin: 73046218095531
ratio: 0.918273645546372
day: 2027-03-14T15:09:26Z
octal: 0712654321076543
smtp:
  password: canary-smtp/4d+Elster=83
  users: [canary-user/6c+Kranich=19, canary-user/7b+Reiher=47]
braces: "{{ canary_braces_8m_Dohle }}"
path: canary-file/3n.Sperling
twice: canary-of-all/1q+Zeisig=05
key: |
  -----BEGIN CANARY KEY-----
  Y2FuYXJ5LWtleS1saW5lLW9uZS1vZi10d28
  ZWluZS16d2VpdGUtWmVpbGUtZGVyLUthbmFy
  -----END CANARY KEY-----
"#;

/// What stands in `host_vars/a.yml.age` and in that of `b`.
pub const SEALED_A: &str = "twice: canary-of-a/8s+Stieglitz=12\n";
pub const SEALED_B: &str = "other: canary-of-b/5k+Specht=90\n";

/// The password of what follows, which the real ansible-vault encrypted; it opens nothing else.
pub const VAULT_PASSWORD: &str = "canary-vault/Pass+\"27";

/// `whole: "canary-whole/5h+Star=\"41"` and `whole_map: {key_of_canary: "canary-map/3j+Amsel=\"59"}`.
pub const VAULT_WHOLE: &str = "$ANSIBLE_VAULT;1.1;AES256
33363838663138386632376163656332363634336666666166333037353930323431303965636635
6438663065316136633565613831306638303639343265380a623962383862373839383937313133
64396162303334343063626563613465353935333262386161303239623265653237633633633836
3538363836616461380a363031353634666164633333306564396231396334653739303435373934
37386266343065323638643966623839313234393639393137383236306334656230613036323266
64663336663064383935623937333038613662616130356239346465383234383332386538386235
37633133343766636435666663313137653131356635646662396234376238346236666261363364
35396537326237316566393938353264613131323835626536326264306662666263396337613639
6334
";

/// The variable `inline` as it stands in a plain file: `canary-inline/7g+Fink="31`.
pub const VAULT_INLINE: &str = "inline: !vault |
  $ANSIBLE_VAULT;1.1;AES256
  65613630343565316136353934623035363334326462393965383066633862303736393866666465
  6162343531313362333534613239363766393732386466340a343332363430313665353836343338
  34333339326134393934373730356237636331383039323665343462656664356234353665393264
  3462376230663935320a613434613366653864336535653332663631626532376438663864396665
  37363235616366353937656636656138353665303236313561336366663935346332
";

/// Whatever of it is a secret's text.
pub const ALL: [&str; 17] = [
    PASSWORD,
    KEY,
    "canary-master/2h+Uhu=61-derives",
    "73046218095531",
    "0.918273645546372",
    "2027-03-14T15:09:26Z",
    "0712654321076543",
    "canary-smtp/4d+Elster=83",
    "canary-user/6c+Kranich=19",
    "canary-user/7b+Reiher=47",
    "{{ canary_braces_8m_Dohle }}",
    "canary-file/3n.Sperling",
    "canary-of-all/1q+Zeisig=05",
    "canary-of-a/8s+Stieglitz=12",
    "canary-of-b/5k+Specht=90",
    "canary-whole/5h+Star=\"41",
    "canary-inline/7g+Fink=\"31",
];

/// All of them, the password that opens some, and what they are as numbers and times.
pub static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    let others = [VAULT_PASSWORD, "canary-map/3j+Amsel=\"59", "31531020352867", "1805036966"];
    Forms::of(ALL.into_iter().chain(others))
});

/// A text, encrypted to the identity of the tests.
pub fn encrypt(text: &str) -> Vec<u8> {
    let public = include_str!("../../crates/secrets/tests/ed25519.pub");
    Recipients::parse(public, Path::new("recipients")).unwrap().encrypt(text.as_bytes(), true).unwrap()
}
