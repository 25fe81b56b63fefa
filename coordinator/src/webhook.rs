//! Webhooks: changes of findings, told to endpoints over HTTP.
//!
//! # Delivery
//!
//! Each endpoint has a task of its own a cluster, which sends one change after the other, in the order of their numbers, and the next one
//! only when this one was taken. What was taken last stands in the cluster's record; a successor goes on after it, so that a change is told
//! at least once whatever is killed. An endpoint that does not answer waits for itself alone: nothing of it is kept in memory but one
//! piece of what the store has anyway.
//!
//! # Signature
//!
//! `Fathom-Signature: v1=HEX` is the HMAC-SHA256 of `TIMESTAMP.BODY` with the endpoint's secret, `Fathom-Timestamp: TIMESTAMP` the Unix
//! second at which this attempt was made. `docs/design/0022-webhook.md` says how to check it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fathom_model::ClusterId;
use fathom_runtime::units::Span;
use hyper::Uri;
use ring::hmac;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;

mod deliver;
mod post;

pub(crate) use deliver::deliver;

/// How long an endpoint may take to answer when the configuration does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that it may be given.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);

/// The shortest secret: shorter ones can be tried out.
const SECRET_BYTES: usize = 16;

/// An endpoint, as the configuration file has it: a table `[[webhook]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// The name under which the store remembers what it was told; another name begins anew.
    pub name: String,
    /// Where to send: `http://` or `https://`.
    pub url: String,
    /// File of the secret that signs; a line end at its end is not part of it.
    pub secret_file: PathBuf,
    /// Certificates of the authorities that may vouch for the endpoint (PEM); needed for `https`.
    pub ca: Option<PathBuf>,
    /// How long it may take to answer [default: 10s].
    pub timeout: Option<Span>,
    /// Only findings of these clusters [default: of all].
    #[serde(default)]
    pub clusters: Vec<String>,
}

/// An endpoint that was checked.
#[derive(Clone)]
pub struct Webhook {
    name: String,
    url: Uri,
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    key: hmac::Key,
    timeout: Duration,
    clusters: Vec<String>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// Checks an endpoint and reads its files.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn open(entry: &Entry) -> Result<Self, String> {
        let fault = |what: String| format!("webhook `{}`: {what}", entry.name);
        if entry.name.is_empty() || entry.name.len() > 64 || entry.name.chars().any(char::is_control) {
            return Err(fault(
                "name must have 1 to 64 characters that can be printed".to_owned(),
            ));
        }
        let url: Uri = entry
            .url
            .parse()
            .map_err(|error| fault(format!("url `{}`: {error}", entry.url)))?;
        let is_tls = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => {
                return Err(fault(format!(
                    "url `{}` must begin with http:// or https://",
                    entry.url
                )));
            }
        };
        let host = url
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| fault(format!("url `{}` names no host", entry.url)))?;
        if url
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(fault(
                "a url with a user is not supported; what is sent is signed".to_owned(),
            ));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tls = match (is_tls, &entry.ca) {
            (false, None) => None,
            (false, Some(_)) => return Err(fault("ca is for https alone".to_owned())),
            (true, None) => {
                let needed = "https needs ca: the file of the authorities that may vouch for it, such as the system's own \
                              (/etc/ssl/certs/ca-certificates.crt on Debian)";
                return Err(fault(needed.to_owned()));
            }
            (true, Some(ca)) => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| fault(format!("`{host}` is neither a name nor an address")))?;
                Some((trust(ca).map_err(fault)?, name))
            }
        };
        let timeout = entry.timeout.map_or(TIMEOUT, |span| span.0);
        if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
            return Err(fault("timeout must be more than nothing and at most 5m".to_owned()));
        }
        Ok(Self {
            name: entry.name.clone(),
            url,
            host,
            port,
            tls,
            key: secret(&entry.secret_file).map_err(fault)?,
            timeout,
            clusters: entry.clusters.clone(),
        })
    }

    /// The name under which the store remembers what it was told.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is told of a cluster.
    pub(crate) fn is_for(&self, cluster: &ClusterId) -> bool {
        self.clusters.is_empty() || self.clusters.iter().any(|own| own == cluster.as_str())
    }

    /// What `Fathom-Signature` says of a body that is sent at a second.
    fn sign(&self, unix_seconds: u64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(unix_seconds.to_string().as_bytes());
        context.update(b".");
        context.update(body);
        let mut text = "v1=".to_owned();
        for byte in context.sign().as_ref() {
            text.push_str(&format!("{byte:02x}"));
        }
        text
    }
}

/// Checks all endpoints; all that is wrong at once.
///
/// # Errors
///
/// A sentence a fault.
pub(crate) fn open_all(entries: &[Entry]) -> Result<Vec<Arc<Webhook>>, Vec<String>> {
    let mut faults = Vec::new();
    let mut webhooks: Vec<Arc<Webhook>> = Vec::new();
    for entry in entries {
        if webhooks.iter().any(|other| other.name == entry.name) {
            faults.push(format!(
                "webhook `{}` is there twice; names tell them apart",
                entry.name
            ));
            continue;
        }
        match Webhook::open(entry) {
            Ok(webhook) => webhooks.push(Arc::new(webhook)),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(webhooks) } else { Err(faults) }
}

fn secret(path: &Path) -> Result<hmac::Key, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("secret-file {}: {error}", path.display()))?;
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if bytes.len() < SECRET_BYTES {
        return Err(format!(
            "secret-file {} has {} bytes; a secret needs at least {SECRET_BYTES}, `openssl rand -hex 32` makes one",
            path.display(),
            bytes.len()
        ));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, bytes))
}

fn trust(path: &Path) -> Result<Arc<ClientConfig>, String> {
    let fault = |what: String| format!("ca {}: {what}", path.display());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fault("it holds no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
