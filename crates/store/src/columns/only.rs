//! What is needed of a file: row groups by what their statistics say, and columns.

use parquet::arrow::ProjectionMask;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;

/// What is needed; of nothing said all.
#[derive(Default)]
pub(crate) struct Only<'a> {
    /// Rows whose column of texts has one of these.
    pub(crate) texts: Vec<(&'a str, Vec<&'a str>)>,
    /// Rows whose column of times is from one to another, both inside.
    pub(crate) times: Option<(&'a str, i64, i64)>,
    /// Columns that nobody asks for.
    pub(crate) without: Vec<&'a str>,
}

impl Only<'_> {
    /// The row groups that may have some of it. Where statistics say nothing a group may.
    pub(super) fn groups(&self, file: &ParquetMetaData) -> Vec<usize> {
        let groups = file.row_groups().iter().enumerate();
        groups
            .filter(|(_, group)| self.may_have(group))
            .map(|(at, _)| at)
            .collect()
    }

    fn may_have(&self, group: &RowGroupMetaData) -> bool {
        let has_texts = self.texts.iter().all(|(column, any)| {
            let Some(Statistics::ByteArray(reach)) = statistics(group, column) else {
                return true;
            };
            let (Some(least), Some(greatest)) = (reach.min_bytes_opt(), reach.max_bytes_opt()) else {
                return true;
            };
            // Statistics may be cut short: then the least is less and the greatest is greater.
            any.iter()
                .any(|text| least <= text.as_bytes() && text.as_bytes() <= greatest)
        });
        let has_times = self.times.is_none_or(|(column, from, until)| {
            let Some(Statistics::Int64(reach)) = statistics(group, column) else {
                return true;
            };
            reach.min_opt().is_none_or(|least| *least <= until)
                && reach.max_opt().is_none_or(|greatest| *greatest >= from)
        });
        has_texts && has_times
    }

    /// All columns but those that nobody asks for.
    pub(super) fn columns(&self, schema: &SchemaDescriptor) -> ProjectionMask {
        let fields = schema.root_schema().get_fields().iter().enumerate();
        let asked = fields.filter(|(_, field)| !self.without.contains(&field.name()));
        ProjectionMask::roots(schema, asked.map(|(at, _)| at))
    }
}

/// What is said of a column of a row group.
fn statistics<'g>(group: &'g RowGroupMetaData, column: &str) -> Option<&'g Statistics> {
    let mut columns = group.columns().iter();
    let column = columns.find(|chunk| chunk.column_path().string() == column)?;
    column.statistics()
}
