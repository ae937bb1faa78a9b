//! The dashboard and the alerts of `observability/`, run by a real Prometheus that scrapes a real gateway and a real
//! sidecar.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate_stack::debian::PROMETHEUS;
use tollgate_stack::ports::{Ports, Size};
use tollgate_stack::process::{Lifetime, Process, tail};
use tollgate_stack::progress::Silent;
use tollgate_stack::{Repository, Stack, wait};
use tollgate_tests::{SETTLED, chat, event, post};

const CHAT: &str = "/v1/chat/completions";
/// A Prometheus of the test's own. Ends with this value.
struct Prometheus {
    url: String,
    _process: Process,
    /// Its data and its log.
    folder: TempDir,
    http: reqwest::Client,
}

// === impl Prometheus ===

impl Prometheus {
    /// Starts one that scrapes a system each second, with the rules of the repository.
    fn start(stack: &Stack) -> Self {
        let repository = Repository::here();
        let host = |url: &str| Url::parse(url).map(|url| url.authority().to_owned()).unwrap();
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [repository.root().join("observability/alerts.yaml")],
            "scrape_configs": [
                {
                    "job_name": "tollgate-gateway",
                    "metrics_path": "/stats/prometheus",
                    "static_configs": [{"targets": [host(&stack.envoy_admin)]}],
                },
                {"job_name": "tollgate-sidecar", "static_configs": [{"targets": [host(&stack.sidecar)]}]},
            ],
        });
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("prometheus.yaml");
        // JSON is YAML.
        std::fs::write(&file, config.to_string()).unwrap();
        // One port of a system that is not started.
        let address = format!("127.0.0.1:{}", Ports::free(Size::ONE).unwrap().mock);
        let mut command = Command::new(PROMETHEUS.program(&repository, &Silent).unwrap());
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"));
        let log = folder.path().join("log");
        let process = Process::start("prometheus", command, &log, Lifetime::Ours).unwrap();
        Self {
            url: format!("http://{address}"),
            _process: process,
            folder,
            http: stack.http.clone(),
        }
    }

    /// What a path of its API answers, below `data`.
    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = Url::parse_with_params(&format!("{}/api/v1/{path}", self.url), query)?;
        let answer: Value = self.http.get(url).send().await?.json().await?;
        anyhow::ensure!(answer["status"] == "success", "{query:?}: {answer}");
        Ok(answer["data"].clone())
    }

    /// The series of a query.
    async fn query(&self, expression: &str) -> anyhow::Result<Vec<Value>> {
        let data = self.ask("query", &[("query", expression)]).await?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", tail(&self.folder.path().join("log")));
        }
    }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Repository::here().root().join("observability").join(file)).unwrap()
}

/// Every query of the dashboard, with its panel's title.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().clone();
    let queries = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().unwrap().iter();
        targets.map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    });
    queries.collect()
}

/// Answers, refusals and a stream, then a sidecar that is away for a while: everything that is counted.
async fn use_it(stack: &mut Stack) {
    let mut last = None;
    for n in 0..4 {
        let mut body = chat("echo a");
        body["stream"] = json!(n % 2 == 0);
        last = Some(post(stack, CHAT, stack.key("unlimited"), &body).await.unwrap());
    }
    post(stack, CHAT, "tg_test_none", &chat("echo a")).await.unwrap();
    event(stack, &last.unwrap()).await.unwrap();
    stack.kill_sidecar().unwrap();
    // Nobody knows this key, and nobody can be asked.
    post(stack, CHAT, "tg_test_another", &chat("echo a"))
        .await
        .unwrap();
    stack.start_sidecar().await.unwrap();
}

/// What an alert asks.
fn query_of<'a>(alerts: &'a [Value], name: &str) -> &'a str {
    let alert = alerts.iter().find(|alert| alert["name"] == name).unwrap();
    alert["query"].as_str().unwrap()
}

#[tokio::test]
async fn every_query_of_the_dashboard_and_of_the_alerts_finds_what_it_asks_for() {
    let mut stack = Stack::builder().start().await.unwrap();
    let prometheus = Prometheus::start(&stack);
    // The first scrape is before the calls: a rate needs to see a counter rise.
    wait::until(SETTLED, "Prometheus does not scrape both", async || {
        let up = prometheus.query("sum(up)").await.unwrap_or_default();
        Ok((up.first().is_some_and(|up| up["value"][1] == "2")).then_some(()))
    })
    .await
    .unwrap();
    use_it(&mut stack).await;
    // And again when that is seen, so that it rises where it was not there before.
    for name in [
        "tollgate_requests_total",
        "tollgate_sidecar_errors_total",
        "tollgate_refusals_total",
    ] {
        wait::until(SETTLED, &format!("Prometheus does not see {name}"), async || {
            Ok((!prometheus.query(name).await?.is_empty()).then_some(()))
        })
        .await
        .unwrap();
    }
    use_it(&mut stack).await;

    for (title, expression) in panels() {
        wait::until(
            SETTLED,
            &format!("{title}: {expression} finds nothing"),
            async || {
                let found = prometheus.query(&expression).await?;
                let is_number =
                    |series: &Value| series["value"][1].as_str().is_some_and(|value| value != "NaN");
                Ok(found.iter().any(is_number).then_some(()))
            },
        )
        .await
        .unwrap();
    }

    let rules = prometheus.ask("rules", &[]).await.unwrap();
    let alerts = rules["groups"][0]["rules"].as_array().unwrap();
    assert!(alerts.len() >= 5, "{rules}");
    let names = prometheus.ask("label/__name__/values", &[]).await.unwrap();
    let names: BTreeSet<&str> = names
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let metric = Regex::new("tollgate_[a-z_]+").unwrap();
    for alert in alerts {
        let expression = alert["query"].as_str().unwrap();
        prometheus.query(expression).await.unwrap();
        for name in metric.find_iter(expression).map(|found| found.as_str()) {
            assert!(names.contains(name), "{name} of {expression}");
        }
    }
    // The sidecar was away, and now the policy does not fit; nothing was lost.
    let clash = json!({"name": "demo-requests", "count": "requests", "amount": 1, "period": "1h"});
    stack.admin.post("/admin/v1/limits", &clash).await.unwrap();
    for seen in ["TollgateSidecarAway", "TollgatePolicyRefused"] {
        wait::until(SETTLED, &format!("{seen} sees nothing"), async || {
            let found = prometheus.query(query_of(alerts, seen)).await?;
            Ok((!found.is_empty()).then_some(()))
        })
        .await
        .unwrap();
    }
    let lost = prometheus.query(query_of(alerts, "TollgateEventsLost")).await;
    assert_eq!(lost.unwrap(), Vec::<Value>::new());
}

#[test]
fn the_example_of_a_configuration_names_files_that_are_there() {
    let folder = Repository::here().root().join("observability");
    let config = read("prometheus.yaml");
    let rules = config
        .lines()
        .find_map(|line| line.strip_prefix("rule_files: ["))
        .unwrap();
    assert!(
        Path::new(&folder).join(rules.trim_end_matches(']')).is_file(),
        "{rules}"
    );
}
