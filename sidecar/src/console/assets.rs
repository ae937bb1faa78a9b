//! The page's files, compressed and hashed once. In development builds they are read from the disk when the process
//! starts, in others they are part of the program.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::HeaderValue;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

const INDEX: &str = "index.html";
/// Stands in `index.html` for the build: a path that changes with any of the files, so that browsers may keep them.
const BUILD: &str = "@BUILD@";
/// Hexadecimal digits of a digest: enough to tell builds apart.
const DIGEST_CHARS: usize = 16;

#[derive(RustEmbed)]
#[folder = "web/"]
struct Files;

static ASSETS: LazyLock<Assets> = LazyLock::new(Assets::load);

/// All files of the page.
#[derive(Debug)]
pub(super) struct Assets {
    /// Changes with any of the files.
    pub(super) build: String,
    index: Asset,
    files: BTreeMap<String, Asset>,
}

/// One file, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    /// What it is.
    pub(super) content_type: &'static str,
    /// Weak: the same for the content as it is and compressed.
    pub(super) etag: HeaderValue,
    /// As it is.
    pub(super) plain: Bytes,
    /// Compressed; none where that is no smaller.
    pub(super) gzip: Option<Bytes>,
}

// === impl Assets ===

impl Assets {
    /// The files of this program.
    pub(super) fn get() -> &'static Self {
        &ASSETS
    }

    /// The page itself.
    pub(super) fn index(&self) -> &Asset {
        &self.index
    }

    /// A file by its path under `web/`.
    pub(super) fn file(&self, path: &str) -> Option<&Asset> {
        self.files.get(path)
    }

    fn load() -> Self {
        let all: BTreeMap<String, Cow<'static, [u8]>> = Files::iter()
            .filter_map(|path| Some((path.to_string(), Files::get(&path)?.data)))
            .collect();
        let mut hasher = Sha256::new();
        for (path, data) in &all {
            hasher.update(path);
            hasher.update([0]);
            hasher.update(Sha256::digest(data));
        }
        let build = short(&hasher.finalize());
        let index = all.get(INDEX).map_or(&b""[..], |data| data);
        let index = String::from_utf8_lossy(index).replace(BUILD, &build);
        let files = all
            .iter()
            .filter(|(path, _)| *path != INDEX)
            .map(|(path, data)| (path.clone(), Asset::new(path, data)))
            .collect();
        Self {
            index: Asset::new(INDEX, index.as_bytes()),
            build,
            files,
        }
    }
}

// === impl Asset ===

impl Asset {
    fn new(path: &str, data: &[u8]) -> Self {
        let etag = format!("W/\"{}\"", short(&Sha256::digest(data)));
        Self {
            content_type: content_type(path),
            // Hexadecimal digits in quotes are a header value.
            etag: HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("W/\"\"")),
            plain: Bytes::copy_from_slice(data),
            gzip: gzip(data).filter(|packed| packed.len() < data.len()),
        }
    }
}

fn short(digest: &[u8]) -> String {
    let mut text = hex::encode(digest);
    text.truncate(DIGEST_CHARS);
    text
}

fn gzip(data: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_only_files_that_there_are() {
        let assets = Assets::load();
        let page = String::from_utf8(assets.index().plain.to_vec()).unwrap();
        let prefix = format!("assets/{}/", assets.build);
        let named: Vec<&str> = page
            .split(&prefix)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(named.len() > 3, "{page}");
        for path in named {
            assert!(assets.file(path).is_some(), "{path}");
        }
        assert!(!page.contains(BUILD), "{page}");
    }

    #[test]
    fn every_module_is_loaded_at_once_and_not_one_after_another() {
        let assets = Assets::load();
        let page = String::from_utf8(assets.index().plain.to_vec()).unwrap();
        for path in assets.files.keys().filter(|path| path.ends_with(".js")) {
            // Charts are fetched when the first one is drawn.
            assert!(
                page.contains(path) || path.contains("chart.umd"),
                "{path} is not in index.html"
            );
        }
    }

    #[test]
    fn every_file_has_the_type_of_its_name() {
        for path in Assets::load().files.keys() {
            let is_text = path.ends_with("LICENSE") || path.ends_with(".txt") || path.ends_with(".md");
            assert_eq!(content_type(path).starts_with("text/plain"), is_text, "{path}");
        }
    }
}
