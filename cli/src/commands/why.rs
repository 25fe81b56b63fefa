//! `fathom why`: whom to blame, in a stretch of time; or what one write waited for.

use fathom_proto::convert::query::report_from_wire;
use fathom_proto::query::v1 as wire;
use serde_json::json;

use crate::args::{Output, WhyArgs};
use crate::client::{Client, block_on, filter};
use crate::commands::{io, note, of_vm, print, source, tell_source};
use crate::error::Result;
use crate::exit::Code;
use crate::render::json::{self, to_value};
use crate::render::{dated, report, usual};

pub(crate) fn run(arguments: &WhyArgs, output: Output) -> Result<Code> {
    if let Some(id) = &arguments.id {
        return io::one(id, &arguments.connection, output);
    }
    let context = arguments.connection.resolve()?;
    let (cluster, vm, answer) = block_on(async {
        let client = Client::connect(&context).await?;
        let mut asked = filter(&arguments.which, None);
        let vm = match &arguments.vm {
            Some(name) => Some(of_vm::find(&client, name).await?),
            None => None,
        };
        if let Some(vm) = &vm {
            asked.volume.clone_from(&vm.volume);
        }
        let answer = client.report(asked, arguments.source.word()).await?;
        Ok((client.cluster().await?, vm, answer))
    })?;
    let report = report_from_wire(&answer)?;
    match output {
        Output::Json => {
            let coverage = answer.coverage.clone().unwrap_or_default();
            json::print(json!({
                "cluster": cluster, "culprit": to_value(&report.culprit), "culprits": to_value(&report.culprits), "last_copies": to_value(&report.last_copies),
                "last_copies_by_node": to_value(&report.last_copies_by_node), "last_copies_by_pair": to_value(&report.last_copies_by_pair),
                "joined": to_value(&report.joined), "unseen": to_value(&report.unseen),
                "newest_unix_ns": coverage.newest_unix_nanos, "from_unix_ns": coverage.from_unix_nanos,
                "source": source(answer.source.as_ref()), "slowest_write_id": slowest(&answer), "changes": dated::values(&answer.changes),
                "against_usual": usual::against_values(&answer.against_usual),
                "vm": vm.as_ref().map(|vm| json!({"name": vm.name, "volume": vm.volume, "others": vm.others})),
            }))?;
        }
        Output::Table => {
            let mut text = report::culprit(&report);
            text.push_str(&dated::lines(&answer.changes));
            text.push_str(&usual::against(&answer.against_usual));
            text.push('\n');
            text.push_str(&report::last_copies(&report));
            text.push_str(&report::last_copies_of_more(&report));
            text.push('\n');
            text.push_str(&report::joined(&report));
            print(&text)?;
            if let Some(vm) = &vm {
                vm.tell();
            }
            tell_source(answer.source.as_ref());
        }
    }
    let mut coverage = answer.coverage;
    // A table has told what is odd already.
    if let (Output::Table, Some(coverage)) = (output, &mut coverage) {
        coverage.warnings.clear();
    }
    let partial = note(coverage.as_ref());
    Ok(if arguments.check && report.culprit.is_some() {
        Code::Trouble
    } else {
        partial
    })
}

/// The slowest write's name, wherever the answer has it.
fn slowest(answer: &wire::GetReportResponse) -> Option<&str> {
    let looked_up = answer.slowest_write.as_ref().map(|write| write.id.as_str());
    looked_up.or_else(|| Some(answer.slowest_write_id.as_str()).filter(|id| !id.is_empty()))
}
