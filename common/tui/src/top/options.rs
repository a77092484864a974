//! BCC's options of top tools.

use std::time::Duration;

use corescope::cli;
use corescope::interval::seconds;

/// How screens follow each other.
#[derive(Debug, Clone, clap::Args)]
pub struct TopOptions {
    /// Print screens one after another instead of clearing the terminal
    #[arg(short = 'C', long)]
    pub noclear: bool,
    /// Leave out the line of time and load above plain screens
    #[arg(short = 'S', long)]
    pub nosummary: bool,
    /// Show at most this many rows of each table
    #[arg(short, long, value_name = "COUNT", value_parser = cli::count::<u32>)]
    pub rows: Option<u32>,
    /// Seconds between screens
    #[arg(value_parser = seconds, default_value = "1")]
    pub interval: Duration,
    /// Number of screens
    #[arg(value_parser = cli::count::<u64>)]
    pub count: Option<u64>,
}

impl TopOptions {
    /// How many rows a table has at most.
    pub(crate) fn limit(&self) -> usize {
        self.rows.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(usize::MAX)
    }
}
