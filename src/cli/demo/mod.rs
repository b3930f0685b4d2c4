//! `larder demo`: what larder does, on a simulated provider, without a key, a network or a file.

mod table;
mod workload;

use std::future::pending;
use std::sync::mpsc;
use std::thread;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::settings::{ServeArgs, start_logs};
use super::simulate::until_signal;
use super::{Failure, print, say};
use crate::server::{self, Addresses, Ends, Inherited, Run, Source};
use crate::simulate::{self, Settings};

/// The options of the command.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Exit after the table instead of keeping provider and sidecar running
    #[arg(long)]
    once: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Running(error.to_string());
    let runtime = Runtime::new().map_err(|error| failed(&error))?;
    let (stop, stopped) = watch::channel(false);
    let provider = runtime.block_on(TcpListener::bind("127.0.0.1:0")).map_err(|e| failed(&e))?;
    let provider_address = provider.local_addr().map_err(|error| failed(&error))?;
    runtime.spawn(simulate::serve(provider, Settings::default(), until(stopped.clone())));

    let options = ServeArgs::for_upstream(&format!("http://{provider_address}/v1"));
    let config = options.resolve()?;
    start_logs(&config.log);
    let (announce, announced) = mpsc::channel();
    let announce = move |addresses: Addresses| {
        if announce.send(addresses).is_err() {
            tracing::debug!("the demonstration ended before its sidecar began");
        }
    };
    let read = move || options.resolve().map_err(|failure| failure.to_string());
    let (read, announce) = (Box::new(read), Box::new(announce));
    let source = Source::Opened(Inherited::default());
    let run = Run { source, read, ends: Ends::WhenTold, stop: stopped, announce };
    let sidecar = thread::spawn(move || server::run(&config, run));
    let addresses = announced.recv().map_err(|_| failed(&"the sidecar did not start"))?;

    let steps = runtime.block_on(workload::run(addresses.proxy, provider_address));
    print(&table::render(&steps.map_err(Failure::Running)?))?;
    if !args.once {
        let _runtime = runtime.enter();
        let told = until_signal();
        say(&format_args!(
            "\nstatus page  http://{admin}/\n\
             metrics      http://{admin}/metrics\n\
             sidecar      export OPENAI_BASE_URL=http://{}/v1\n\
             provider     http://{provider_address}/v1 (simulated)\n\
             Ctrl-C ends it.",
            addresses.proxy,
            admin = addresses.admin,
        ));
        runtime.block_on(told);
    }
    stop.send_replace(true);
    match sidecar.join() {
        Ok(result) => result.map_err(Failure::from),
        Err(_) => Err(failed(&"the sidecar panicked")),
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        pending::<()>().await;
    }
}
