//! `foremend tickets`: the list, without a browser. Reads the store directly, also while the daemon runs.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::Outcome;
use super::output::say;
use crate::config;
use crate::desk::Ticket;
use crate::desk::TicketStatus;
use crate::store::Store;
use crate::store::TicketFilter;
use crate::store::TicketSort;

/// How many tickets one look reads at a time.
const PAGE: usize = 200;

/// Lists tickets without a browser.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  foremend tickets --data foremend-data --status new")]
pub(super) struct Tickets {
    /// The data directory; wins over the settings.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Settings file, for its data directory.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only this status: new, acknowledged, `in_progress`, waiting, resolved, closed or cancelled.
    #[arg(long, value_name = "STATUS", value_parser = parse_status)]
    status: Option<TicketStatus>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Chinese instead of English.
    #[arg(long)]
    zh: bool,
}

fn parse_status(text: &str) -> Result<TicketStatus, String> {
    serde_json::from_value(serde_json::Value::String(text.into())).map_err(|_| {
        "expected new, acknowledged, in_progress, waiting, resolved, closed or cancelled".to_owned()
    })
}

impl Tickets {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let dir = match self.data.clone() {
            Some(dir) => dir,
            None => config::load_places(self.config.as_deref())?.data_dir,
        };
        let file = crate::daemon::store_path(&dir);
        anyhow::ensure!(
            file.is_file(),
            "{} is not a data directory of Foremend: it has no {}; name one with --data",
            dir.display(),
            file.display()
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start")?;
        runtime.block_on(self.list(&file))
    }

    async fn list(&self, file: &std::path::Path) -> anyhow::Result<Outcome> {
        let store = Store::open_to_read(file).await?;
        let mut filter = TicketFilter {
            status: self.status.into_iter().collect(),
            sort: TicketSort::Urgency,
            limit: PAGE,
            ..TicketFilter::default()
        };
        loop {
            let page = store.tickets(&filter).await?;
            for ticket in &page.items {
                let line = if self.json {
                    serde_json::to_string(ticket)?
                } else {
                    self.line(ticket)
                };
                say(&line)?;
            }
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return Ok(Outcome::Good),
            }
        }
    }

    fn line(&self, ticket: &Ticket) -> String {
        let (title, reason) = if self.zh {
            (&ticket.title.zh, &ticket.reason.zh)
        } else {
            (&ticket.title.en, &ticket.reason.en)
        };
        format!(
            "{:<6} {:?}  {:<12} {:<26} {}  {title}: {reason}",
            ticket.id, ticket.severity, ticket.status, ticket.device, ticket.opened_at
        )
    }
}
