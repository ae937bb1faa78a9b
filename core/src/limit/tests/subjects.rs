//! Whom a limit counts apart, and which requests it is for.

use super::*;

fn admitted(world: &World, facts: &Facts<'_>) -> bool {
    world.take_as(facts, 0, 0).is_ok()
}

#[test]
fn each_combination_counts_apart() {
    let world = World::new(
        json!([{"name": "r", "count": "requests", "amount": 1, "period": "1h", "per": ["key", "model"]}]),
    );
    assert!(admitted(&world, &facts()));
    assert!(!admitted(&world, &facts()));
    assert!(!admitted(
        &world,
        &Facts {
            user: Some("bob"),
            ..facts()
        }
    ));
    assert!(admitted(
        &world,
        &Facts {
            model: Some("gpt-4"),
            ..facts()
        }
    ));
    assert!(admitted(
        &world,
        &Facts {
            key_id: Some("key_2"),
            ..facts()
        }
    ));
}

#[test]
fn a_request_without_a_session_does_not_escape() {
    let world = World::new(
        json!([{"name": "r", "count": "requests", "amount": 1, "period": "1h", "per": ["session"]}]),
    );
    assert!(admitted(&world, &facts()));
    assert!(!admitted(&world, &facts()));
    assert!(
        admitted(
            &world,
            &Facts {
                session: Some(""),
                ..facts()
            }
        ),
        "an empty one is another"
    );
}

#[test]
fn names_cannot_be_shifted_into_one_another() {
    let world = World::new(
        json!([{"name": "r", "count": "requests", "amount": 1, "period": "1h", "per": ["workspace", "user"]}]),
    );
    assert!(admitted(
        &world,
        &Facts {
            workspace: Some("ab"),
            user: Some("c"),
            ..facts()
        }
    ));
    assert!(admitted(
        &world,
        &Facts {
            workspace: Some("a"),
            user: Some("bc"),
            ..facts()
        }
    ));
}

#[test]
fn a_limit_is_for_what_it_matches() {
    for (matching, expected) in [
        (json!({"dialects": ["chat_completions"]}), true),
        (json!({"dialects": ["messages"]}), false),
        (json!({"paths": ["/v1/*"]}), true),
        (json!({"paths": ["/v2/*", "/v3/*"]}), false),
        (json!({"models": ["claude-*", "gpt-4?"]}), true),
        (json!({"models": ["o1*"]}), false),
        (json!({"workspaces": ["zoo", "acme"]}), true),
        (json!({"workspaces": ["zoo"]}), false),
        (json!({"keys": ["key_2", "key_1"]}), true),
        (json!({"keys": ["key_2"]}), false),
        (json!({"paths": ["*"], "models": ["o1*"]}), false),
    ] {
        let spec =
            json!([{"name": "r", "count": "requests", "amount": 1, "period": "1h", "match": matching}]);
        let limits = compile(spec).unwrap();
        assert_eq!(!limits.select(&facts()).is_empty(), expected, "{matching}");
    }
}

#[test]
fn cells_are_bounded_whatever_subjects_come() {
    let world = World::new(json!([
        {"name": "r", "count": "requests", "amount": 10, "period": "1h", "per": ["ip"], "max_subjects": 100},
    ]));
    for number in 0..10_000 {
        let ip = format!("10.0.{}.{}", number / 256, number % 256);
        let _ = world
            .take_as(
                &Facts {
                    ip: Some(&ip),
                    ..facts()
                },
                0,
                0,
            )
            .unwrap();
    }
    let bytes: usize = world.cells.contents().iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(world.cells.keys().len() <= 13);
    assert!(bytes < 13 * 16 * 96, "{bytes} bytes");
}

#[test]
fn a_flood_of_new_subjects_forgets_the_light_ones_first() {
    let world = World::new(json!([
        {"name": "r", "count": "requests", "amount": 100, "period": "1h", "per": ["ip"], "max_subjects": 16},
    ]));
    let heavy = Facts {
        ip: Some("192.0.2.200"),
        ..facts()
    };
    for _ in 0..100 {
        assert!(admitted(&world, &heavy));
    }
    for number in 0..1000 {
        let ip = format!("10.0.{}.{}", number / 256, number % 256);
        assert!(admitted(
            &world,
            &Facts {
                ip: Some(&ip),
                ..facts()
            }
        ));
    }
    assert!(!admitted(&world, &heavy));
}

#[test]
fn another_salt_puts_subjects_elsewhere() {
    let spec = json!([{"name": "r", "count": "requests", "amount": 1, "period": "1h", "per": ["ip"]}]);
    let specs: Vec<LimitSpec> = serde_json::from_value(spec).unwrap();
    let one = Limits::compile(&[("limits", &specs)], b"one").unwrap();
    let two = Limits::compile(&[("limits", &specs)], b"two").unwrap();
    assert_ne!(one.select(&facts()), two.select(&facts()));
}
