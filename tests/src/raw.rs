//! An HTTP/1 connection on which a test says, byte for byte, what no HTTP client would.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Answer;

/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a server. Dropping it hangs up.
#[derive(Debug)]
pub struct Raw {
    stream: BufReader<TcpStream>,
}

// === impl Raw ===

impl Raw {
    /// Connects to the server of a URL, e.g. `http://127.0.0.1:10000`.
    ///
    /// # Errors
    ///
    /// Where nobody listens there.
    pub async fn connect(url: &str) -> Result<Self> {
        let address = url.strip_prefix("http://").unwrap_or(url);
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {url}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// Where the server has closed the connection.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        timeout(PATIENCE, self.stream.get_mut().write_all(bytes.as_ref()))
            .await
            .context("the server takes no more bytes")??;
        Ok(())
    }

    /// Reads one answer to its end, and leaves what follows it.
    ///
    /// # Errors
    ///
    /// Where it breaks off, or does not come.
    pub async fn answer(&mut self) -> Result<Answer> {
        let mut answer = self.head().await?;
        answer.body = timeout(PATIENCE, self.body(&answer))
            .await
            .with_context(|| format!("the body does not end: {answer:?}"))??;
        Ok(answer)
    }

    /// Reads an answer's status and headers.
    ///
    /// # Errors
    ///
    /// Where they do not come whole.
    pub async fn head(&mut self) -> Result<Answer> {
        timeout(PATIENCE, self.read_head()).await.context("no answer")?
    }

    /// Reads a part of a body, at least one byte.
    ///
    /// # Errors
    ///
    /// Where nothing comes.
    pub async fn some(&mut self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; 64 << 10];
        let read = timeout(PATIENCE, self.stream.read(&mut bytes))
            .await
            .context("nothing comes")??;
        anyhow::ensure!(read > 0, "the server hung up");
        bytes.truncate(read);
        Ok(bytes)
    }

    async fn read_head(&mut self) -> Result<Answer> {
        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("no status line: {status_line:?}"))?;
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        Ok(Answer {
            status,
            headers,
            body: Vec::new(),
        })
    }

    /// The body of an answer: RFC 9112, section 6.3.
    async fn body(&mut self, head: &Answer) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        if matches!(head.status, 100..=199 | 204 | 304) {
            return Ok(body);
        }
        if head.header("transfer-encoding") == "chunked" {
            loop {
                let size = self.line().await?;
                let size =
                    usize::from_str_radix(&size, 16).with_context(|| format!("a chunk's size: {size:?}"))?;
                if size == 0 {
                    break;
                }
                let start = body.len();
                body.resize(start + size, 0);
                self.stream
                    .read_exact(body.get_mut(start..).unwrap_or_default())
                    .await?;
                self.line().await?;
            }
            // Trailers, and the empty line that ends them.
            while !self.line().await?.is_empty() {}
        } else if let Ok(length) = head.header("content-length").parse() {
            body.resize(length, 0);
            self.stream.read_exact(&mut body).await?;
        } else {
            self.stream.read_to_end(&mut body).await?;
        }
        Ok(body)
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            bail!("the server hung up");
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

/// A request line with headers, without the empty line behind them: more headers may follow.
pub fn start(method: &str, path: &str, headers: &[(&str, &[u8])]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: gateway\r\n").into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    head
}

/// A piece of a chunked body. An empty one ends it; trailers and an empty line must follow.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return b"0\r\n".to_vec();
    }
    let size = format!("{:x}\r\n", bytes.len());
    [size.as_bytes(), bytes, b"\r\n"].concat()
}
