//! Tables without borders.

use comfy_table::{ContentArrangement, Table, presets};

use super::text::harmless;

/// Columns aligned by spaces. Nothing wraps, as in the tables of kubectl:
/// names are there to be copied, and lines to be found by `grep`.
pub(crate) fn render<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| harmless(&cell).replace('\n', " ")));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}
