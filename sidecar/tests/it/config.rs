//! Configuration: strict, with the path of every fault.

use std::path::Path;

use tollgate_core::wire::{ModerationAction, ModerationPhase};
use tollgate_sidecar::Config;
use tollgate_sidecar::config::Database;

const GOOD: &str = "database: x.db\nadmin_token: a\ngateway_tokens: [b]\n";

fn faults(yaml: &str) -> Vec<String> {
    let error = Config::from_yaml(yaml, []).unwrap_err();
    error.to_string().lines().map(str::to_owned).collect()
}

fn demo() -> Config {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("sidecar.yaml")).unwrap();
    Config::from_yaml(&text, []).unwrap()
}

#[test]
fn little_needs_to_be_said() {
    let config = Config::from_yaml(GOOD, []).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:10002");
    assert_eq!(config.database, Database::Sqlite("x.db".into()));
}

#[test]
fn the_path_of_a_fault_in_shape_is_told() {
    for (more, path) in [
        ("colour: blue", "colour: "),
        ("log: {level: info, colour: blue}", "log.colour: "),
        ("limits: {admin_body_bytes: many}", "limits.admin_body_bytes: "),
        ("shutdown_timeout: soon", "shutdown_timeout: "),
        (
            "moderation: {policies: {p: {rules: [{name: a, category: b, action: shout}]}}}",
            "moderation.policies.p.rules[0].action: ",
        ),
    ] {
        let told = faults(&format!("{GOOD}{more}"));
        assert!(told[0].starts_with(path), "{told:?}");
    }
}

#[test]
fn all_faults_in_values_are_told_at_once() {
    let told = faults(
        "listen: everywhere\nadmin_token: ''\ngateway_tokens: [good, '']\nlog: {level: 'a=b=c'}\n\
         moderation: {workspaces: {w: nowhere}, policies: {p: {rules: [{name: a, category: b, action: flag, \
         regexes: ['(']}]}}}",
    );
    for path in [
        "listen: ",
        "database: required",
        "admin_token: ",
        "gateway_tokens[1]: ",
        "log.level: ",
        "moderation.workspaces.w: ",
        "moderation.policies.p.rules[0].regexes[0]: ",
    ] {
        assert!(
            told.iter().any(|fault| fault.starts_with(path)),
            "{path} in {told:#?}"
        );
    }
}

#[test]
fn no_configuration_starts_without_tokens() {
    assert!(faults("database: x.db")[0].starts_with("admin_token: required"));
    let vars = [("TOLLGATE_SIDECAR__GATEWAY_TOKENS".to_owned(), String::new())];
    let error = Config::from_yaml(GOOD, vars).unwrap_err();
    assert!(error.to_string().starts_with("gateway_tokens[0]: "), "{error}");
}

#[test]
fn a_database_that_is_none_is_told_without_its_password() {
    for (database, told) in [
        ("mysql://u:secret@db/x", "got \"mysql\""),
        ("postgres://u:secret@db:port/x", "invalid port number"),
    ] {
        let faults = faults(&format!(
            "database: {database}\nadmin_token: a\ngateway_tokens: [b]\n"
        ));
        assert!(
            faults[0].starts_with("database: expected ") && faults[0].contains(told),
            "{faults:?}"
        );
        assert!(!faults[0].contains("secret"), "{faults:?}");
    }
}

#[test]
fn the_environment_goes_before_the_file() {
    let vars = [("TOLLGATE_SIDECAR__LISTEN".to_owned(), "127.0.0.1:7".to_owned())];
    let config = Config::from_yaml(&format!("{GOOD}listen: 127.0.0.1:8\n"), vars).unwrap();
    assert_eq!(config.listen.port(), 7);
}

#[test]
fn leases_can_be_shortened_by_the_environment() {
    let vars = [("TTL", "4s"), ("GRACE", "3s"), ("MAX_AGE", "1m")];
    let vars = vars.map(|(name, value)| {
        (
            format!("TOLLGATE_SIDECAR__BUDGETS__LEASE_{name}"),
            value.to_owned(),
        )
    });
    let leases = Config::from_yaml(GOOD, vars).unwrap().budgets.leases;
    assert_eq!(
        (leases.ttl_ms, leases.grace_ms, leases.max_age_ms),
        (4_000, 3_000, 60_000)
    );
}

#[test]
fn secrets_are_not_in_what_is_printed_of_a_configuration() {
    let yaml = "database: postgres://u:pass-word@h/d\nadmin_token: secret-a\ngateway_tokens: [secret-b]\n";
    let printed = format!("{:?}", Config::from_yaml(yaml, []).unwrap());
    for secret in ["secret-a", "secret-b", "pass-word"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn a_fault_does_not_quote_the_lines_around_it() {
    let told = faults("admin_token: secret-a\ngateway_tokens: [secret-b]\ncolour: blue\n").join("\n");
    assert!(!told.contains("secret"), "{told}");
}

#[test]
fn the_demos_configuration_finds_what_it_says() {
    let config = demo();
    let policy = config.moderation.policy("default").unwrap();
    for (text, action) in [
        ("what is the capital of France in 2026?", ModerationAction::Allow),
        ("write to ann.lee+x@mail.example.org", ModerationAction::Redact),
        ("my card is 4111 1111 1111 1111 123", ModerationAction::Redact),
        ("call +49 30 1234567", ModerationAction::Redact),
        ("call (555) 123-4567", ModerationAction::Redact),
        ("use AKIAIOSFODNN7EXAMPLE", ModerationAction::Block),
        ("-----BEGIN RSA PRIVATE KEY-----", ModerationAction::Block),
        ("notes on Suicide prevention", ModerationAction::Flag),
        ("order 1234567890123 of 2026-01-02 12:30", ModerationAction::Allow),
    ] {
        let verdict = policy.judge(ModerationPhase::Input, &[text.to_owned()]);
        assert_eq!(verdict.action, action, "{text}: {verdict:?}");
    }
}
