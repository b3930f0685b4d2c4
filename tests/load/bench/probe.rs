//! One request to each target before the run: is it there, and does it answer as the simulated provider does?

use std::sync::Arc;

use http::Uri;
use tokio::time::timeout;

use super::Failure;
use super::connection::{self, Connection};
use super::connector::Connector;
use super::plan::Plan;
use super::question::{Input, Question};
use super::reply;
use super::stream::Streamed;
use super::target::Target;
use super::trouble::Trouble;
use super::truth::{self, Truth, Verify};
use super::workload::Kind;

/// Asks all targets, and gives what their answers are to be held against.
pub(crate) async fn all(plan: &Plan, connector: &Connector) -> Result<Truth, Failure> {
    let mut simulated = true;
    let mut dimensions = 0;
    for target in &plan.targets {
        let asked = timeout(plan.timeout, one(plan, connector, target)).await;
        let probed = asked.unwrap_or(Err(Trouble::TimedOut)).map_err(|trouble| {
            let Target { name, base, .. } = target;
            Failure::Running(format!("{name}: {base}: {trouble}"))
        })?;
        simulated &= probed.simulated;
        dimensions = probed.dimensions;
    }
    let verify = if simulated { Verify::Oracle } else { Verify::First };
    let (form, catalogue) = (&plan.work.form, &plan.work.catalogue);
    Ok(match plan.verify.unwrap_or(verify) {
        Verify::Oracle => Truth::oracle(form, dimensions, Arc::clone(catalogue)),
        Verify::First if plan.work.kind != Kind::Stream => {
            Truth::first(catalogue.len(), plan.targets.len(), plan.tolerance)
        }
        Verify::First | Verify::Off => Truth::Unknown,
    })
}

struct Probed {
    simulated: bool,
    dimensions: usize,
}

async fn one(plan: &Plan, connector: &Connector, target: &Target) -> Result<Probed, Trouble> {
    let work = &plan.work;
    let text = format!("larder-bench {:016x}", plan.size.seed);
    let mut connection = Connection::new(connector, &target.base, &plan.credential);
    if work.kind == Kind::Stream {
        let Question { body, .. } = work.form.stream(text.clone());
        let answer = connection.ask(&path(plan, target), body).await?;
        let stream = Streamed::read(answer.into_body()).await?;
        let simulated = truth::are_right(&work.form.model, &text, &stream.words);
        return Ok(Probed { simulated, dimensions: 0 });
    }
    let inputs = vec![Input::New { text: text.clone(), first: true }];
    let Question { body, .. } = work.form.embed(&work.catalogue, inputs);
    let answer = connection.ask(&path(plan, target), body).await?;
    let body = connection::whole(answer.into_body()).await?;
    let vectors = reply::vectors(&body, 1)?;
    let vector = vectors.first().ok_or(Trouble::Malformed)?;
    let simulated = truth::is_simulated(&work.form.model, &text, vector);
    Ok(Probed { simulated, dimensions: vector.len() / 4 })
}

/// Where a target is asked.
pub(crate) fn path(plan: &Plan, target: &Target) -> Uri {
    let endpoint = if plan.work.kind == Kind::Stream { "/chat/completions" } else { "/embeddings" };
    target.path(endpoint).parse().expect("a path behind a path is a path")
}
