//! `envoy/envoy.yaml`, read as data and given other ports, upstreams and filter configurations.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use reqwest::Url;
use serde_json::{Map, Value, json};

use crate::ports::Ports;

/// The cluster of the sidecar.
const SIDECAR_CLUSTER: &str = "tollgate_sidecar";
/// The clusters of providers.
const PROVIDER_CLUSTERS: [&str; 3] = ["openai", "anthropic", "gemini"];
/// The filter's name in the chain and, with hot reload, its resource's name.
pub(crate) const FILTER: &str = "tollgate";

/// An Envoy bootstrap.
#[derive(Debug, Clone)]
pub struct EnvoyConfig {
    value: Value,
}

// === impl EnvoyConfig ===

impl EnvoyConfig {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or is not YAML.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let value =
            serde_saphyr::from_str(&text).with_context(|| format!("{} is not YAML", path.display()))?;
        Ok(Self { value })
    }

    /// The whole of it.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }

    /// As Envoy reads it from a `.json` file.
    pub fn to_json(&self) -> String {
        format!("{:#}\n", self.value)
    }

    /// Moves every listener and endpoint to these ports: the listeners to those of the first gateway.
    ///
    /// # Errors
    ///
    /// Where the file lacks one of them.
    pub fn set_ports(&mut self, ports: &Ports) -> Result<()> {
        let gateway = ports.gateway(0)?;
        *at(&mut self.value, "/admin/address/socket_address/port_value")? = json!(gateway.admin);
        let listener = named(at(&mut self.value, "/static_resources/listeners")?, "gateway")?;
        *at(listener, "/address/socket_address/port_value")? = json!(gateway.clients);
        let endpoints = ports.sidecars.iter().map(|port| {
            let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
            json!({"endpoint": {"address": address}})
        });
        let listed = "/load_assignment/endpoints/0/lb_endpoints";
        *at(self.cluster(SIDECAR_CLUSTER)?, listed)? = endpoints.collect();
        for cluster in PROVIDER_CLUSTERS {
            *at(self.endpoint(cluster)?, "/port_value")? = json!(ports.mock);
        }
        Ok(())
    }

    /// Exchanges ports wherever they stand.
    pub(crate) fn replace_ports(&mut self, old: &Ports, new: &Ports) {
        let pairs: Vec<_> = old.named().into_iter().zip(new.named()).collect();
        let pairs: Vec<_> = pairs.into_iter().map(|((_, old), (_, new))| (old, new)).collect();
        replace_ports(&mut self.value, &pairs);
    }

    /// The configuration of another gateway of the system: on its own ports and, so that the ledger tells the two
    /// apart, with its own name.
    ///
    /// # Errors
    ///
    /// Where there is no such gateway, or no Tollgate filter.
    pub(crate) fn for_gateway(&self, ports: &Ports, number: usize) -> Result<Self> {
        let (first, other) = (ports.gateway(0)?, ports.gateway(number)?);
        let mut config = self.clone();
        let pairs = [(first.clients, other.clients), (first.admin, other.admin)];
        replace_ports(&mut config.value, &pairs);
        // The first keeps its name; a configuration without the filter may have one gateway.
        if number > 0 {
            name_gateway(config.filter_config()?, number);
        }
        Ok(config)
    }

    /// Sends all provider traffic to a server instead: `http` or `https`, with a path prefix if it has one.
    ///
    /// # Errors
    ///
    /// Where the address is no such URL, or the file lacks what must be changed.
    pub fn set_upstream(&mut self, upstream: &Url) -> Result<()> {
        let (Some(host), Some(port)) = (upstream.host_str(), upstream.port_or_known_default()) else {
            bail!("upstream {upstream}: a host is needed, e.g. http://127.0.0.1:8080");
        };
        if !matches!(upstream.scheme(), "http" | "https") {
            bail!("upstream {upstream}: only http and https");
        }
        let authority = upstream
            .port()
            .map_or_else(|| host.to_owned(), |given| format!("{host}:{given}"));
        for name in PROVIDER_CLUSTERS {
            *self.endpoint(name)? = json!({"address": host.trim_matches(['[', ']']), "port_value": port});
            let cluster = self.cluster(name)?;
            insert(cluster, "type", json!("LOGICAL_DNS"))?;
            insert(cluster, "dns_lookup_family", json!("V4_PREFERRED"))?;
            if upstream.scheme() == "https" {
                insert(cluster, "transport_socket", tls(host))?;
            }
        }
        let listener = named(at(&mut self.value, "/static_resources/listeners")?, "gateway")?;
        let manager = "/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes";
        let routes = at(listener, manager)?
            .as_array_mut()
            .context("envoy configuration: routes are no list")?;
        for route in routes {
            let target = at(route, "/route")?;
            insert(target, "host_rewrite_literal", json!(authority))?;
            let prefix = upstream.path().trim_matches('/');
            if !prefix.is_empty() {
                let rewrite = json!({"pattern": {"regex": "^/"}, "substitution": format!("/{prefix}/")});
                insert(target, "regex_rewrite", rewrite)?;
            }
        }
        Ok(())
    }

    /// Runs the filter from this file.
    ///
    /// # Errors
    ///
    /// Where there is no Tollgate filter.
    pub fn set_wasm(&mut self, wasm: &Path) -> Result<()> {
        *at(self.filter()?, "/config/vm_config/code/local/filename")? = json!(wasm);
        Ok(())
    }

    /// The filter's own configuration.
    ///
    /// # Errors
    ///
    /// Where there is no Tollgate filter.
    pub fn filter_config(&mut self) -> Result<&mut Value> {
        at(self.filter()?, "/config/configuration/value")
    }

    /// Takes the filter out of the bootstrap and has Envoy watch for it in `folder`, where a new version is
    /// moved in place (ECDS). Returns the resource file's first content.
    ///
    /// # Errors
    ///
    /// Where there is no Tollgate filter.
    pub fn split_filter(&mut self, folder: &Path) -> Result<Value> {
        let typed_config = self.filter()?.take();
        let entry = self.filter_entry()?;
        *entry = json!({"name": FILTER, "config_discovery": {
            "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            "config_source": {"resource_api_version": "V3", "path_config_source": {
                "path": folder.join("tollgate.json"), "watched_directory": {"path": folder},
            }},
        }});
        Ok(json!({"resources": [{
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": FILTER, "typed_config": typed_config,
        }]}))
    }

    fn filter(&mut self) -> Result<&mut Value> {
        at(self.filter_entry()?, "/typed_config")
    }

    fn filter_entry(&mut self) -> Result<&mut Value> {
        let listener = named(at(&mut self.value, "/static_resources/listeners")?, "gateway")?;
        named(
            at(listener, "/filter_chains/0/filters/0/typed_config/http_filters")?,
            FILTER,
        )
    }

    fn cluster(&mut self, name: &str) -> Result<&mut Value> {
        named(at(&mut self.value, "/static_resources/clusters")?, name)
    }

    fn endpoint(&mut self, cluster: &str) -> Result<&mut Value> {
        let path = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
        at(self.cluster(cluster)?, path)
    }
}

/// Gives the gateway of this number its name in a filter's configuration: the first keeps the one that is there.
pub(crate) fn name_gateway(filter_config: &mut Value, number: usize) {
    let Some(name) = filter_config.get_mut("gateway_id").filter(|_| number > 0) else {
        return;
    };
    *name = json!(format!("{}-{}", name.as_str().unwrap_or_default(), number + 1));
}

fn at<'a>(value: &'a mut Value, path: &str) -> Result<&'a mut Value> {
    value
        .pointer_mut(path)
        .with_context(|| format!("envoy configuration: there is no {path}"))
}

fn named<'a>(list: &'a mut Value, name: &str) -> Result<&'a mut Value> {
    let items = list.as_array_mut().into_iter().flatten();
    items
        .into_iter()
        .find(|item| item.get("name").and_then(Value::as_str) == Some(name))
        .with_context(|| format!("envoy configuration: nothing is named `{name}`"))
}

fn insert(object: &mut Value, field: &str, value: Value) -> Result<()> {
    let fields: &mut Map<String, Value> = object
        .as_object_mut()
        .with_context(|| format!("envoy configuration: no place for `{field}`"))?;
    fields.insert(field.to_owned(), value);
    Ok(())
}

fn replace_ports(value: &mut Value, pairs: &[(u16, u16)]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace_ports(item, pairs)),
        Value::Object(fields) => {
            for (name, field) in fields {
                let exchanged = pairs
                    .iter()
                    .find(|(old, _)| name == "port_value" && *field == json!(old));
                match exchanged {
                    Some((_, new)) => *field = json!(new),
                    None => replace_ports(field, pairs),
                }
            }
        }
        _ => {}
    }
}

fn tls(host: &str) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": host,
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"filename": "/etc/ssl/certs/ca-certificates.crt"},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
            }},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Size;
    use crate::repository::Repository;

    fn demo() -> EnvoyConfig {
        EnvoyConfig::read(&Repository::here().root().join("envoy/envoy.yaml")).unwrap()
    }

    #[test]
    fn the_committed_file_can_be_moved_to_other_ports() {
        let mut config = demo();
        let size = Size {
            gateways: 1,
            sidecars: 2,
            postgres: false,
        };
        config.set_ports(&Ports::from_base(1, size).unwrap()).unwrap();
        let text = config.to_json();
        for port in [10_000, 10_001, 10_002, 10_003] {
            assert!(!text.contains(&format!("\"port_value\": {port}")), "{port}");
        }
        for port in [3, 13] {
            assert!(
                text.contains(&format!("\"port_value\": {port}")),
                "sidecar at {port}"
            );
        }
    }

    #[test]
    fn a_second_gateway_differs_in_its_ports_and_its_name() {
        let size = Size {
            gateways: 2,
            sidecars: 1,
            postgres: false,
        };
        let ports = Ports::from_base(1, size).unwrap();
        let mut config = demo();
        config.set_ports(&ports).unwrap();
        let mut second = config.for_gateway(&ports, 1).unwrap();
        assert_eq!(second.filter_config().unwrap()["gateway_id"], json!("demo-2"));
        second.filter_config().unwrap()["gateway_id"] = json!("demo");
        replace_ports(&mut second.value, &[(11, 1), (12, 2)]);
        assert_eq!(second.value, config.value);
    }

    #[test]
    fn an_upstream_with_a_prefix_gets_it_in_front_of_every_path() {
        let mut config = demo();
        config
            .set_upstream(&"https://llm.example/openai/".parse().unwrap())
            .unwrap();
        let text = config.to_json();
        assert_eq!(text.matches("\"substitution\": \"/openai/\"").count(), 3);
        assert_eq!(text.matches("\"address\": \"llm.example\"").count(), 3);
        assert_eq!(text.matches("\"sni\": \"llm.example\"").count(), 3);
    }

    #[test]
    fn hot_reload_moves_the_filter_into_a_file_of_its_own() {
        let mut config = demo();
        let resource = config.split_filter(Path::new("/somewhere")).unwrap();
        assert_eq!(
            resource.pointer("/resources/0/typed_config/config/root_id"),
            Some(&json!(FILTER))
        );
        assert!(config.filter_config().is_err());
    }

    #[test]
    fn the_hot_reloading_file_differs_in_the_filters_place_only() {
        let read = |path: &str| EnvoyConfig::read(&Repository::here().root().join(path)).unwrap();
        let (mut split, mut shipped) = (demo(), read("envoy/ecds/envoy.yaml"));
        let resource = split.split_filter(Path::new("envoy/ecds")).unwrap();
        // The one name that differs: ours is written as JSON.
        *shipped.filter_entry().unwrap() = split.filter_entry().unwrap().clone();
        assert_eq!(shipped.value, split.value);
        assert_eq!(read("envoy/ecds/tollgate.yaml").value, resource);
    }
}
