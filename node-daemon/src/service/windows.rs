//! A service of Windows.
//!
//! Its own account, `NT SERVICE\fathom-node`, exists once the service does and has no rights beyond a user's; what sources need
//! beyond that is in `docs/operations/windows.md`.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fathom_identity::explain;
use fathom_runtime::shutdown::{Cause, Shutdown};
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo,
    ServiceSidType, ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_service::{define_windows_service, service_dispatcher};

use super::{Error, NAME, Plan, Result};
use crate::{Config, Options};

const DISPLAY_NAME: &str = "Fathom node daemon";

const DESCRIPTION: &str = "Reads storage I/O events of this node and sends them to a Fathom coordinator.";

/// How long starting and stopping are waited for: a start reads its whole recording, a stop has a grace period of 5 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the service manager is told to allow before it takes a change of state for hung.
const WAIT_HINT: Duration = Duration::from_secs(60);

/// After a failure it is started again, later each time; the last delay stays.
const RESTARTS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(60)];

/// A day without a failure, and the delays begin anew.
const RESET: Duration = Duration::from_secs(24 * 3600);

// What the system says of a service that is not there, is there already, or is not asked for something it knows (`winerror.h`).
const ERROR_CALL_NOT_IMPLEMENTED: i32 = 120;
const ERROR_INVALID_LEVEL: i32 = 124;
const ERROR_SERVICE_DOES_NOT_EXIST: i32 = 1060;
const ERROR_SERVICE_NOT_ACTIVE: i32 = 1062;
const ERROR_SERVICE_EXISTS: i32 = 1073;

pub(super) fn install(plan: &Plan) -> Result<()> {
    let info = info(plan);
    if plan.dry_run {
        println!("service {NAME}, started automatically with delay");
        println!("  account   {}", account(plan));
        println!(
            "  command   {} {}",
            plan.program.display(),
            info.launch_arguments
                .iter()
                .map(|word| word.to_string_lossy())
                .collect::<Vec<_>>()
                .join(" ")
        );
        println!(
            "  restarts  after {RESTARTS:?}, then always the last; counted anew after {RESET:?} without a failure"
        );
        return Ok(());
    }
    let manager = manager(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?;
    let access =
        ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::QUERY_STATUS | ServiceAccess::DELETE;
    let service = manager
        .create_service(&info, access)
        .map_err(|error| match code(&error) {
            Some(ERROR_SERVICE_EXISTS) => Error::Present,
            _ => refused("register the service")(error),
        })?;
    if let Err(error) = configure(&service) {
        // Nothing is left half done; that it failed is what counts.
        let _ = service.delete();
        return Err(error);
    }
    println!("installed the service {NAME} to run as {}", account(plan));
    if let Some(file) = &plan.config.log_file {
        println!("its log goes to {}", file.display());
    }
    println!("that account must be able to read the files of the configuration and to write spool and log");
    if plan.start {
        service.start::<OsString>(&[]).map_err(refused("start the service"))?;
        started(&service)?;
        println!("it runs");
    }
    Ok(())
}

pub(super) fn uninstall() -> Result<()> {
    let manager = manager(ServiceManagerAccess::CONNECT)?;
    let access = ServiceAccess::QUERY_STATUS | ServiceAccess::STOP | ServiceAccess::DELETE;
    let service = manager.open_service(NAME, access).map_err(|error| match code(&error) {
        Some(ERROR_SERVICE_DOES_NOT_EXIST) => Error::Absent,
        _ => refused("open the service")(error),
    })?;
    match service.stop() {
        Ok(_) => {}
        Err(error) if code(&error) == Some(ERROR_SERVICE_NOT_ACTIVE) => {}
        Err(error) => return Err(refused("stop the service")(error)),
    }
    let stopped = wait(&service, |state| state == ServiceState::Stopped)?;
    if stopped.is_none() {
        return Err(Error::Late {
            what: "stop",
            seconds: PATIENCE.as_secs(),
        });
    }
    service.delete().map_err(refused("remove the service"))?;
    println!("removed the service {NAME}; its spool, log and configuration stay");
    Ok(())
}

fn info(plan: &Plan) -> ServiceInfo {
    let account = account(plan);
    ServiceInfo {
        name: NAME.into(),
        display_name: DISPLAY_NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: plan.program.clone(),
        launch_arguments: vec![
            "run".into(),
            "--service".into(),
            "--config".into(),
            plan.config_file.clone().into(),
        ],
        dependencies: Vec::new(),
        // No name is LocalSystem.
        account_name: (!account.eq_ignore_ascii_case("LocalSystem")).then(|| account.into()),
        account_password: None,
    }
}

fn account(plan: &Plan) -> String {
    plan.account.clone().unwrap_or_else(|| format!(r"NT SERVICE\{NAME}"))
}

/// What is set after a service was made. A level that the system does not know is told and left; every other refusal is a failure.
fn configure(service: &Service) -> Result<()> {
    let restart = |delay| ServiceAction {
        action_type: ServiceActionType::Restart,
        delay,
    };
    let failures = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(RESET),
        reboot_msg: None,
        command: None,
        actions: Some(RESTARTS.map(restart).into()),
    };
    let steps = [
        ("the description", service.set_description(DESCRIPTION)),
        ("the delay of its start", service.set_delayed_auto_start(true)),
        ("its restarts", service.update_failure_actions(failures)),
        // An error that it reports and ends with counts as one that it crashed with.
        (
            "its restarts after errors",
            service.set_failure_actions_on_non_crash_failures(true),
        ),
        // So that files can be given to this service alone.
        (
            "its identity",
            service.set_config_service_sid_info(ServiceSidType::Unrestricted),
        ),
    ];
    for (what, outcome) in steps {
        match outcome {
            Ok(()) => {}
            Err(error) if matches!(code(&error), Some(ERROR_CALL_NOT_IMPLEMENTED | ERROR_INVALID_LEVEL)) => {
                eprintln!("warning: this system cannot set {what} of a service");
            }
            Err(error) => return Err(refused(&format!("set {what}"))(error)),
        }
    }
    Ok(())
}

fn started(service: &Service) -> Result<()> {
    match wait(service, |state| {
        matches!(state, ServiceState::Running | ServiceState::Stopped)
    })? {
        Some(status) if status.current_state == ServiceState::Running => Ok(()),
        // Its source was short: all of it is stored already.
        Some(status) if status.exit_code == ServiceExitCode::NO_ERROR => Ok(()),
        Some(status) => Err(Error::Ended {
            code: format!("{:?}", status.exit_code),
        }),
        None => Err(Error::Late {
            what: "start",
            seconds: PATIENCE.as_secs(),
        }),
    }
}

/// The service's status once its state is as asked for; `None` when it is not in time.
fn wait(service: &Service, reached: impl Fn(ServiceState) -> bool) -> Result<Option<ServiceStatus>> {
    let start = Instant::now();
    loop {
        let status = service.query_status().map_err(refused("ask for the service"))?;
        if reached(status.current_state) {
            return Ok(Some(status));
        }
        if start.elapsed() >= PATIENCE {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn manager(access: ServiceManagerAccess) -> Result<ServiceManager> {
    ServiceManager::local_computer(None::<&str>, access).map_err(refused("speak with the service manager"))
}

fn code(error: &windows_service::Error) -> Option<i32> {
    match error {
        windows_service::Error::Winapi(source) => source.raw_os_error(),
        _ => None,
    }
}

fn refused(action: &str) -> impl FnOnce(windows_service::Error) -> Error {
    let action = action.to_owned();
    move |error| Error::System {
        action,
        source: match error {
            windows_service::Error::Winapi(source) => source,
            other => std::io::Error::other(other),
        },
    }
}

/// The options of the one service of this process; the service manager calls back without any.
static OPTIONS: OnceLock<Options> = OnceLock::new();

define_windows_service!(service_main, main);

/// Runs as the service, from the thread that the process began with, until the service has stopped.
///
/// # Errors
///
/// When the service manager did not start this process. What ends the daemon goes to its log and to the service manager.
pub fn serve(options: Options) -> Result<()> {
    // A second call finds the first one's options; there is only one service a process.
    OPTIONS.get_or_init(|| options);
    service_dispatcher::start(NAME, service_main).map_err(refused("run as a service outside the service manager"))
}

fn main(_arguments: Vec<OsString>) {
    let shutdown = Shutdown::new();
    let reporter = Arc::new(Reporter::default());
    let registered = service_control_handler::register(NAME, {
        let (shutdown, reporter) = (shutdown.clone(), Arc::clone(&reporter));
        move |control| match control {
            ServiceControl::Stop => stop(&shutdown, &reporter, "service stop"),
            ServiceControl::Shutdown | ServiceControl::Preshutdown => {
                stop(&shutdown, &reporter, "the system is going down")
            }
            ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
            _ => ServiceControlHandlerResult::NotImplemented,
        }
    });
    let Ok(handle) = registered else {
        // There is nobody to tell: the service manager takes a process that ends now for a failed start.
        return;
    };
    // Set once, here.
    let _ = reporter.handle.set(handle);
    reporter.report(ServiceState::StartPending, ServiceExitCode::NO_ERROR);
    let exit_code = run(shutdown, &reporter);
    reporter.report(ServiceState::Stopped, exit_code);
}

fn stop(shutdown: &Shutdown, reporter: &Reporter, cause: &'static str) -> ServiceControlHandlerResult {
    reporter.report(ServiceState::StopPending, ServiceExitCode::NO_ERROR);
    shutdown.request(Cause::Requested(cause));
    ServiceControlHandlerResult::NoError
}

/// Runs the daemon; the code is that of the program's exit: 1 failed, 2 configuration.
fn run(shutdown: Shutdown, reporter: &Reporter) -> ServiceExitCode {
    let options = OPTIONS.get().cloned().unwrap_or_default();
    let config = match Config::resolve(options) {
        Ok(config) => config,
        // Where a log would go is not known either.
        Err(_) => return ServiceExitCode::ServiceSpecific(2),
    };
    if crate::start_logging(&config).is_err() {
        return ServiceExitCode::ServiceSpecific(2);
    }
    let outcome = crate::run_blocking_until(config, shutdown, || {
        reporter.report(ServiceState::Running, ServiceExitCode::NO_ERROR);
    });
    match outcome {
        Ok(outcome) => {
            tracing::info!(?outcome, "the service ends");
            ServiceExitCode::NO_ERROR
        }
        Err(error) => {
            let error = explain::chain(&error);
            tracing::error!(%error, "the service failed");
            ServiceExitCode::ServiceSpecific(1)
        }
    }
}

/// Tells the service manager how far the service is.
#[derive(Default)]
struct Reporter {
    handle: OnceLock<ServiceStatusHandle>,
    /// Held while a state is told, so that what is told last is last.
    stopping: Mutex<bool>,
}

impl Reporter {
    fn report(&self, current_state: ServiceState, exit_code: ServiceExitCode) {
        let Some(handle) = self.handle.get() else {
            return;
        };
        let mut stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        match current_state {
            ServiceState::StopPending => *stopping = true,
            // Asked to stop while it started: there is no way back to running.
            ServiceState::Running if *stopping => return,
            _ => {}
        }
        let pending = matches!(current_state, ServiceState::StartPending | ServiceState::StopPending);
        let status = ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state,
            // A stop while it starts is asked for too: the shutdown is there already.
            controls_accepted: if matches!(current_state, ServiceState::Running | ServiceState::StartPending) {
                ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN
            } else {
                ServiceControlAccept::empty()
            },
            exit_code,
            checkpoint: u32::from(pending),
            wait_hint: if pending { WAIT_HINT } else { Duration::ZERO },
            process_id: None,
        };
        if let Err(error) = handle.set_service_status(status) {
            tracing::warn!(%error, state = ?current_state, "the service manager does not take the state");
        }
    }
}

#[cfg(test)]
mod tests;
