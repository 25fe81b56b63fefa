//! Between rows and Arrow columns: one builder and one reader for every kind of column that our tables have.

use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Result};

pub(crate) mod only;
pub(crate) mod sketches;

use only::Only;

/// The greatest number of 38 digits.
const GREATEST: u128 = 10_u128.pow(38) - 1;

/// Version of the tables' columns, kept in every file.
const SCHEMA_VERSION: &str = "1";

/// Columns of one table on their way to a file.
#[derive(Default)]
pub(crate) struct Builder {
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl Builder {
    fn add(&mut self, name: &str, nullable: bool, column: ArrayRef) {
        self.fields.push(Field::new(name, column.data_type().clone(), nullable));
        self.columns.push(column);
    }

    /// A name that repeats: kept as a dictionary.
    pub(crate) fn name<'a>(&mut self, name: &str, values: impl Iterator<Item = Option<&'a str>>, nullable: bool) {
        let mut builder = StringDictionaryBuilder::<Int32Type>::new();
        values.for_each(|value| builder.append_option(value));
        self.add(name, nullable, Arc::new(builder.finish()));
    }

    /// A text that differs from row to row.
    pub(crate) fn text(&mut self, name: &str, values: impl Iterator<Item = Option<String>>) {
        self.add(name, true, Arc::new(StringArray::from_iter(values)));
    }

    pub(crate) fn time(&mut self, name: &str, values: impl Iterator<Item = Option<i64>>, nullable: bool) {
        let array: TimestampNanosecondArray = values.collect();
        self.add(name, nullable, Arc::new(array.with_timezone("UTC")));
    }

    pub(crate) fn u64(&mut self, name: &str, values: impl Iterator<Item = Option<u64>>, nullable: bool) {
        self.add(name, nullable, Arc::new(values.collect::<UInt64Array>()));
    }

    pub(crate) fn i64(&mut self, name: &str, values: impl Iterator<Item = Option<i64>>, nullable: bool) {
        self.add(name, nullable, Arc::new(values.collect::<Int64Array>()));
    }

    pub(crate) fn u32(&mut self, name: &str, values: impl Iterator<Item = Option<u32>>, nullable: bool) {
        self.add(name, nullable, Arc::new(values.collect::<UInt32Array>()));
    }

    pub(crate) fn f32(&mut self, name: &str, values: impl Iterator<Item = Option<f32>>, nullable: bool) {
        self.add(name, nullable, Arc::new(values.collect::<Float32Array>()));
    }

    pub(crate) fn f64(&mut self, name: &str, values: impl Iterator<Item = f64>) {
        self.add(name, false, Arc::new(values.map(Some).collect::<Float64Array>()));
    }

    /// Whole numbers of up to 38 digits; what is more stays at the greatest.
    pub(crate) fn decimal(&mut self, name: &str, values: impl Iterator<Item = u128>) {
        let kept = values.map(|value| Some(value.min(GREATEST) as i128));
        let array: Decimal128Array = kept.collect();
        let kind = DataType::Decimal128(38, 0);
        self.add(name, false, Arc::new(array.with_data_type(kind)));
    }

    pub(crate) fn bool(&mut self, name: &str, values: impl Iterator<Item = bool>) {
        self.add(name, false, Arc::new(values.map(Some).collect::<BooleanArray>()));
    }

    /// The columns as one Parquet file.
    pub(crate) fn parquet(self, path: &str) -> Result<Bytes> {
        self.parquet_of_groups(path, &[])
    }

    /// The same with a row group of its own for the rows up to each of some, which rise: a reader passes over those that it needs nothing of.
    pub(crate) fn parquet_of_groups(self, path: &str, ends: &[usize]) -> Result<Bytes> {
        let failed = |source| Error::Parquet {
            path: path.to_owned(),
            source,
        };
        let schema = Arc::new(Schema::new(self.fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), self.columns)
            .map_err(|error| failed(parquet::errors::ParquetError::ArrowError(error.to_string())))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(failed)?))
            .set_max_row_group_row_count(Some(128 * 1024))
            .set_key_value_metadata(Some(vec![KeyValue::new(
                "fathom.schema".to_owned(),
                SCHEMA_VERSION.to_owned(),
            )]))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(failed)?;
        let mut from = 0;
        for end in ends.iter().copied().chain([batch.num_rows()]) {
            let end = end.min(batch.num_rows());
            if from < end {
                writer.write(&batch.slice(from, end - from)).map_err(failed)?;
                writer.flush().map_err(failed)?;
                from = end;
            }
        }
        Ok(writer.into_inner().map_err(failed)?.into())
    }
}

/// Batches of one table on their way from a file.
pub(crate) fn read(path: &str, bytes: Bytes) -> Result<Vec<RecordBatch>> {
    read_only(path, bytes, &Only::default())
}

/// The same of what is needed of it: more may come, of a row group that has some of it.
pub(crate) fn read_only(path: &str, bytes: Bytes, only: &Only<'_>) -> Result<Vec<RecordBatch>> {
    let failed = |source| Error::Parquet {
        path: path.to_owned(),
        source,
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(failed)?;
    let version = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .and_then(|pairs| {
            pairs
                .iter()
                .find(|pair| pair.key == "fathom.schema")
                .and_then(|pair| pair.value.clone())
        });
    if version.as_deref() != Some(SCHEMA_VERSION) {
        let found = version.and_then(|version| version.parse().ok()).unwrap_or(0);
        return Err(Error::Format {
            path: path.to_owned(),
            found,
            known: 1,
        });
    }
    let (groups, columns) = (only.groups(reader.metadata()), only.columns(reader.parquet_schema()));
    let reader = reader.with_row_groups(groups).with_projection(columns);
    let batches = reader.with_batch_size(32 * 1024).build().map_err(failed)?;
    batches
        .map(|batch| batch.map_err(|error| failed(parquet::errors::ParquetError::ArrowError(error.to_string()))))
        .collect()
}

/// The columns of one batch, by name.
pub(crate) struct Columns<'a> {
    path: &'a str,
    batch: &'a RecordBatch,
}

/// Values of a column that may be null.
pub(crate) type Values<T> = Vec<Option<T>>;

impl<'a> Columns<'a> {
    pub(crate) const fn new(path: &'a str, batch: &'a RecordBatch) -> Self {
        Self { path, batch }
    }

    pub(crate) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// An error about a column of this file.
    pub(crate) fn wrong(&self, column: &'static str, cause: impl Into<String>) -> Error {
        Error::Column {
            path: self.path.to_owned(),
            column,
            cause: cause.into(),
        }
    }

    fn column(&self, name: &'static str, is: impl Fn(&DataType) -> bool) -> Result<&'a ArrayRef> {
        let column = self
            .batch
            .column_by_name(name)
            .ok_or_else(|| self.wrong(name, "is missing"))?;
        if is(column.data_type()) {
            Ok(column)
        } else {
            Err(self.wrong(name, format!("is {}", column.data_type())))
        }
    }

    /// Whether the file has a column: one that came later is not in older files.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    /// A column that files of before it was there do not have; theirs is all nulls.
    pub(crate) fn since<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'static str) -> Result<Values<T>>,
    ) -> Result<Values<T>> {
        if self.batch.column_by_name(name).is_some() {
            return read(name);
        }
        Ok((0..self.rows()).map(|_| None).collect())
    }

    /// A column without nulls.
    pub(crate) fn all<T>(&self, name: &'static str, values: Values<T>) -> Result<Vec<T>> {
        values
            .into_iter()
            .collect::<Option<Vec<T>>>()
            .ok_or_else(|| self.wrong(name, "has a null"))
    }

    pub(crate) fn names(&self, name: &'static str) -> Result<Values<&'a str>> {
        let column = self.column(name, |kind| matches!(kind, DataType::Utf8 | DataType::Dictionary(_, _)))?;
        if let Some(plain) = column.as_string_opt::<i32>() {
            return Ok(plain.iter().collect());
        }
        let dictionary = column
            .as_dictionary_opt::<Int32Type>()
            .ok_or_else(|| self.wrong(name, "is no dictionary"))?;
        let texts = dictionary
            .downcast_dict::<StringArray>()
            .ok_or_else(|| self.wrong(name, "is no dictionary of texts"))?;
        Ok(texts.into_iter().collect())
    }

    pub(crate) fn times(&self, name: &'static str) -> Result<Values<i64>> {
        let column = self.column(name, |kind| {
            matches!(kind, DataType::Timestamp(TimeUnit::Nanosecond, _))
        })?;
        Ok(column.as_primitive::<TimestampNanosecondType>().iter().collect())
    }

    pub(crate) fn u64s(&self, name: &'static str) -> Result<Values<u64>> {
        Ok(self
            .column(name, |kind| *kind == DataType::UInt64)?
            .as_primitive::<UInt64Type>()
            .iter()
            .collect())
    }

    pub(crate) fn i64s(&self, name: &'static str) -> Result<Values<i64>> {
        Ok(self
            .column(name, |kind| *kind == DataType::Int64)?
            .as_primitive::<Int64Type>()
            .iter()
            .collect())
    }

    pub(crate) fn u32s(&self, name: &'static str) -> Result<Values<u32>> {
        Ok(self
            .column(name, |kind| *kind == DataType::UInt32)?
            .as_primitive::<UInt32Type>()
            .iter()
            .collect())
    }

    pub(crate) fn f32s(&self, name: &'static str) -> Result<Values<f32>> {
        Ok(self
            .column(name, |kind| *kind == DataType::Float32)?
            .as_primitive::<Float32Type>()
            .iter()
            .collect())
    }

    pub(crate) fn f64s(&self, name: &'static str) -> Result<Values<f64>> {
        Ok(self
            .column(name, |kind| *kind == DataType::Float64)?
            .as_primitive::<Float64Type>()
            .iter()
            .collect())
    }

    /// What [`Builder::decimal`] wrote.
    pub(crate) fn decimals(&self, name: &'static str) -> Result<Vec<u128>> {
        let column = self.column(name, |kind| *kind == DataType::Decimal128(38, 0))?;
        let values = column.as_primitive::<Decimal128Type>().iter();
        let whole = values.map(|value| value.and_then(|value| u128::try_from(value).ok()));
        whole
            .collect::<Option<Vec<u128>>>()
            .ok_or_else(|| self.wrong(name, "has a null or is below 0"))
    }

    pub(crate) fn bools(&self, name: &'static str) -> Result<Values<bool>> {
        Ok(self
            .column(name, |kind| *kind == DataType::Boolean)?
            .as_boolean()
            .iter()
            .collect())
    }

    /// A column of names that stand for values of an enumeration.
    pub(crate) fn parsed<T>(&self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<Values<T>> {
        let parse = |text: &str| parse(text).ok_or_else(|| self.wrong(name, format!("`{text}` is not known")));
        self.names(name)?
            .into_iter()
            .map(|text| text.map(parse).transpose())
            .collect()
    }
}
