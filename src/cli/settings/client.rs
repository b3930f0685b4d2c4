//! The settings of a command that asks a running sidecar.

use super::super::{Failure, warn};
use super::{ServeArgs, add, environment, read};
use crate::config::{Config, Problem, Server};

impl ServeArgs {
    /// Like [`Self::resolve`], for a command that asks a running sidecar: it needs the admin listener only, and
    /// an operator runs it after a refused reload. An invalid file is left out; its problems are returned beside
    /// the configuration.
    pub(in crate::cli) fn for_client(&self) -> Result<(Config, Vec<Problem>), Failure> {
        let problems = match self.load() {
            Ok(loaded) => return Ok((loaded.config, Vec::new())),
            Err(problems) => problems,
        };
        let without_file = Self { config: None, is_located: true, ..self.clone() };
        // Flags and variables that are wrong have no other place to be mended.
        let Ok(mut config) = without_file.resolve() else { return Err(problems.into()) };
        if let Some(server) = self.server_of_file() {
            config.server.admin_listen = server.admin_listen;
            config.server.admin_token = server.admin_token;
        }
        Ok((config, problems))
    }

    /// Like [`Self::for_client`], with a warning for each problem of the file.
    pub(in crate::cli) fn resolve_client(&self) -> Result<Config, Failure> {
        let (config, problems) = self.for_client()?;
        for problem in &problems {
            warn(problem);
        }
        Ok(config)
    }

    /// The server's section of the file under flags and variables; none if the file is not TOML.
    fn server_of_file(&self) -> Option<Server> {
        let path = self.file()?;
        let text = read(&path).ok()?;
        let environment = environment().ok()?;
        let mut overrides = self.flags(&environment);
        add(&mut overrides, environment.plain(), &mut Vec::new());
        Config::read_server(&path.display().to_string(), &text, &overrides)
    }
}
