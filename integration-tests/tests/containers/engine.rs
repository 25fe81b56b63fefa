//! The container engine: an image and networks of this run's own, roles in containers, and what is done to them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use fathom_integration_tests::process::Ran;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{
    ContainerInspectResponse, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest,
};
use testcontainers::bollard::query_parameters::{
    CreateImageOptionsBuilder, DownloadFromContainerOptionsBuilder, InspectContainerOptions,
    KillContainerOptionsBuilder, RemoveImageOptionsBuilder,
};
use testcontainers::core::client::docker_client_instance;
use testcontainers::core::{ExecCommand, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};
use tokio::runtime::{Handle, Runtime};
use tokio_stream::StreamExt as _;

use crate::image;

/// What the engine is asked to do takes this long only if it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that is made here carries it; `cargo xtask containers` removes by it what a killed run left.
const LABEL: &str = "fathom.test";

/// Lines of a role's log that a failure shows.
const LAST_LINES: usize = 40;

/// The engine, with what this run made in it. The last that holds it removes that.
pub(crate) struct Engine {
    runtime: Runtime,
    docker: Docker,
    /// Begins the name of everything that this run makes.
    run: String,
    networks: Mutex<Vec<String>>,
}

/// A role to start.
pub(crate) struct Plan<'a> {
    /// Its short name.
    pub(crate) name: &'a str,
    /// The only network that it is on at first.
    pub(crate) network: &'a str,
    /// Files and folders that it is given, each with where.
    pub(crate) files: &'a [(&'a Path, &'a str)],
    /// The program's arguments.
    pub(crate) arguments: Vec<String>,
    /// What it prints when it is up.
    pub(crate) says: Option<&'static str>,
}

/// A role in a container, which is removed when this is dropped.
pub(crate) struct Role {
    engine: Arc<Engine>,
    name: String,
    container: Option<ContainerAsync<GenericImage>>,
}

impl Engine {
    /// The engine that answers, with an image of the program.
    pub(crate) fn with_image(program: &Path) -> Arc<Self> {
        let runtime = Runtime::new().unwrap();
        let docker = runtime.block_on(agree());
        #[expect(clippy::disallowed_methods, reason = "a name that no other run has")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let run = format!("fathom-{:x}-{:x}", std::process::id(), now.subsec_nanos());
        let engine = Arc::new(Self {
            runtime,
            docker,
            run,
            networks: Mutex::default(),
        });
        engine.import(image::archive(program));
        engine
    }

    /// A name of this run: of the image, a container (which is its host name too) or a network.
    pub(crate) fn name(&self, short: &str) -> String {
        format!("{}-{short}", self.run)
    }

    fn import(&self, archive: Vec<u8>) {
        let (entry, label) = (
            format!("ENTRYPOINT [\"{}\"]", image::PROGRAM),
            format!("LABEL {LABEL}={}", self.run),
        );
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(&self.run)
            .tag("latest")
            .changes(vec![entry, label])
            .build();
        let body = testcontainers::bollard::body_full(archive.into());
        self.wait("the image", async {
            let mut made = std::pin::pin!(self.docker.create_image(Some(options), Some(body), None));
            while let Some(said) = made.next().await {
                said.unwrap();
            }
        });
    }

    /// Makes a network that leads nowhere else: the engine drops what would leave it.
    pub(crate) fn network(&self, short: &str) {
        let request = NetworkCreateRequest {
            name: self.name(short),
            internal: Some(true),
            labels: Some(HashMap::from([(LABEL.to_owned(), self.run.clone())])),
            ..NetworkCreateRequest::default()
        };
        self.wait(short, self.docker.create_network(request)).unwrap();
        self.networks.lock().unwrap().push(self.name(short));
    }

    /// Starts a role and waits until it is up.
    pub(crate) fn start(self: &Arc<Self>, plan: Plan<'_>) -> Role {
        let (name, network) = (self.name(plan.name), self.name(plan.network));
        let mut image = GenericImage::new(self.run.as_str(), "latest");
        if let Some(says) = plan.says {
            image = image.with_wait_for(WaitFor::message_on_stdout(says));
        }
        let mut request = image
            .with_container_name(&name)
            .with_label(LABEL, &self.run)
            .with_cmd(plan.arguments)
            .with_startup_timeout(PATIENCE)
            .with_host_config_modifier(move |host| {
                // Not by `with_network`, which makes networks that lead everywhere.
                host.network_mode = Some(network.clone());
                // The engine knows the names of a network. For others, and for roles that are dead just now, it would ask the world, and
                // whoever asked would wait for that.
                host.dns = Some(vec!["127.0.0.1".to_owned()]);
                host.dns_options = Some(["timeout:1", "attempts:1"].map(str::to_owned).to_vec());
                // The client that is about to make the container asks for an API that Debian's engine does not have yet. It is shared
                // until the container is gone, and there is no earlier moment at which it exists.
                tokio::task::block_in_place(|| Handle::current().block_on(agree()));
            });
        for (from, to) in plan.files {
            request = request.with_copy_to(*to, from.to_path_buf());
        }
        let container = self.wait(plan.name, request.start()).unwrap();
        Role {
            engine: Arc::clone(self),
            name,
            container: Some(container),
        }
    }

    /// Waits for the engine, not for ever.
    fn wait<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        let bounded = async { tokio::time::timeout(PATIENCE, future).await };
        self.runtime
            .block_on(bounded)
            .unwrap_or_else(|_| panic!("{what}: the engine has not done it within {PATIENCE:?}"))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for network in self.networks.get_mut().unwrap().drain(..) {
            if let Err(error) = self.runtime.block_on(self.docker.remove_network(&network)) {
                eprintln!("{network} is left behind: {error}");
            }
        }
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        let removed = self.docker.remove_image(&self.run, Some(options), None);
        if let Err(error) = self.runtime.block_on(removed) {
            eprintln!("the image {} is left behind: {error}", self.run);
        }
    }
}

/// A client that speaks the API that the engine has.
async fn agree() -> Docker {
    let client = docker_client_instance().await.unwrap();
    client
        .negotiate_version()
        .await
        .unwrap_or_else(|error| panic!("no container engine answers ({error}): run `cargo xtask containers`"))
}

impl Role {
    fn container(&self) -> &ContainerAsync<GenericImage> {
        self.container.as_ref().unwrap()
    }

    /// The name by which it is called on its networks.
    pub(crate) fn host(&self) -> &str {
        &self.name
    }

    fn inspect(&self) -> ContainerInspectResponse {
        let inspected = self
            .engine
            .docker
            .inspect_container(self.container().id(), None::<InspectContainerOptions>);
        self.engine.wait(&self.name, inspected).unwrap()
    }

    /// Its address on a network.
    pub(crate) fn address(&self, network: &str) -> IpAddr {
        let networks = self.inspect().network_settings.unwrap().networks.unwrap();
        let address = networks[&self.engine.name(network)].ip_address.clone().unwrap();
        address.parse().unwrap()
    }

    /// Runs the program in its container, with its network and files.
    pub(crate) fn run(&self, arguments: &[String]) -> Ran {
        let command = std::iter::once(image::PROGRAM.to_owned()).chain(arguments.iter().cloned());
        let what = format!("{} {}", self.name, arguments.join(" "));
        self.engine.wait(&what, async {
            let mut ran = self.container().exec(ExecCommand::new(command)).await.unwrap();
            let (out, err) = (ran.stdout_to_vec().await.unwrap(), ran.stderr_to_vec().await.unwrap());
            let code = loop {
                match ran.exit_code().await.unwrap() {
                    Some(code) => break code,
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            };
            Ran {
                code: i32::try_from(code).unwrap(),
                out: String::from_utf8(out).unwrap(),
                err: String::from_utf8(err).unwrap(),
            }
        })
    }

    /// Kills it at once, as `kill -9` does.
    pub(crate) fn kill(&self) {
        let options = KillContainerOptionsBuilder::new().signal("KILL").build();
        let killed = self.engine.docker.kill_container(self.container().id(), Some(options));
        self.engine.wait(&self.name, killed).unwrap();
        assert_eq!(self.ended(), 137, "{} was killed", self.name);
    }

    /// Starts it again, with the files that it had.
    pub(crate) fn start(&self) {
        self.engine.wait(&self.name, self.container().start()).unwrap();
    }

    /// Asks it to stop; its exit code.
    pub(crate) fn stop(&self) -> i64 {
        self.engine.wait(&self.name, self.container().stop()).unwrap();
        self.ended()
    }

    /// Whether it runs.
    pub(crate) fn runs(&self) -> bool {
        self.engine.wait(&self.name, self.container().is_running()).unwrap()
    }

    /// Waits for its end; its exit code.
    pub(crate) fn ended(&self) -> i64 {
        let started = Instant::now();
        while self.runs() {
            assert!(started.elapsed() < PATIENCE, "{} does not end", self.name);
            std::thread::sleep(Duration::from_millis(100));
        }
        let code = self.engine.wait(&self.name, self.container().exit_code()).unwrap();
        code.unwrap()
    }

    /// Puts it on a network.
    pub(crate) fn connect(&self, network: &str) {
        let request = NetworkConnectRequest {
            container: self.container().id().to_owned(),
            ..NetworkConnectRequest::default()
        };
        let (docker, network) = (&self.engine.docker, self.engine.name(network));
        self.engine
            .wait(&self.name, docker.connect_network(&network, request))
            .unwrap();
    }

    /// Takes it off a network, as if its cable were pulled: nobody is told.
    pub(crate) fn disconnect(&self, network: &str) {
        let request = NetworkDisconnectRequest {
            container: self.container().id().to_owned(),
            force: Some(false),
        };
        let (docker, network) = (&self.engine.docker, self.engine.name(network));
        self.engine
            .wait(&self.name, docker.disconnect_network(&network, request))
            .unwrap();
    }

    /// Copies a folder out of it into another; where the copy is.
    pub(crate) fn copy_out(&self, folder: &str, into: &Path) -> PathBuf {
        let options = DownloadFromContainerOptionsBuilder::new().path(folder).build();
        let archive = into.join(format!("{}.tar", self.name));
        let content = self.engine.wait(&self.name, async {
            let docker = &self.engine.docker;
            let mut parts = std::pin::pin!(docker.download_from_container(self.container().id(), Some(options)));
            let mut content = Vec::new();
            while let Some(part) = parts.next().await {
                content.extend_from_slice(&part.unwrap());
            }
            content
        });
        std::fs::write(&archive, content).unwrap();
        let unpacked = into.join(&self.name);
        std::fs::create_dir_all(&unpacked).unwrap();
        let status = std::process::Command::new("tar")
            .arg("--extract")
            .arg("--file")
            .arg(&archive)
            .arg("--directory")
            .arg(&unpacked)
            .status()
            .unwrap();
        assert!(status.success());
        unpacked.join(Path::new(folder).file_name().unwrap())
    }

    /// The end of what it said.
    fn last_lines(&self) -> String {
        let said = self.engine.wait(&self.name, async {
            let out = self.container().stdout_to_vec().await.unwrap_or_default();
            let err = self.container().stderr_to_vec().await.unwrap_or_default();
            [out, err].concat()
        });
        let text = String::from_utf8_lossy(&said).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} said last:\n{}", self.name, self.last_lines());
        }
        // Its own drop removes the container, and asks for a runtime.
        let _entered = self.engine.runtime.enter();
        drop(self.container.take());
    }
}
