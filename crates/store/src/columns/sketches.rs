//! Sketches as columns: how many values, their sum, the least and the greatest, and the bins that hold some with their counts.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::builder::{ListBuilder, PrimitiveBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, UInt16Type, UInt64Type};
use arrow_schema::{DataType, Field};
use fathom_model::sketch::{Kept, Sketch};

use super::{Builder, Columns};
use crate::error::Result;

/// Names of the columns of one sketch.
pub(crate) struct SketchNames {
    pub(crate) count: &'static str,
    pub(crate) sum: &'static str,
    pub(crate) min: &'static str,
    pub(crate) max: &'static str,
    pub(crate) bins: &'static str,
    pub(crate) counts: &'static str,
}

impl Builder {
    /// Adds the columns of a sketch a row.
    pub(crate) fn sketches<'a>(
        &mut self,
        names: &SketchNames,
        sketches: impl ExactSizeIterator<Item = &'a Sketch> + Clone,
    ) {
        let of = |value: fn(&Sketch) -> u64| sketches.clone().map(move |sketch| Some(value(sketch)));
        self.u64(names.count, of(Sketch::count), false);
        self.u64(names.sum, of(Sketch::sum), false);
        self.u64(names.min, of(|sketch| sketch.min().unwrap_or(0)), false);
        self.u64(names.max, of(|sketch| sketch.max().unwrap_or(0)), false);
        let (mut bins, mut counts) = (list::<UInt16Type>(), list::<UInt64Type>());
        for sketch in sketches {
            for (bin, count) in sketch.bins() {
                bins.values().append_value(bin);
                counts.values().append_value(count);
            }
            bins.append(true);
            counts.append(true);
        }
        self.add(names.bins, false, Arc::new(bins.finish()));
        self.add(names.counts, false, Arc::new(counts.finish()));
    }
}

/// Values in a list are never null, and said not to be: a reader has a level less to decode for each. Files of before it was said have the
/// same values.
fn list<T: ArrowPrimitiveType>() -> ListBuilder<PrimitiveBuilder<T>> {
    let item = Field::new_list_field(T::DATA_TYPE, false);
    ListBuilder::new(PrimitiveBuilder::new()).with_field(item)
}

/// The sketches of a batch, as they lie in its columns.
pub(crate) struct Sketches<'a> {
    sums: Vec<u64>,
    mins: Vec<u64>,
    maxes: Vec<u64>,
    bins: Lists<'a, u16>,
    counts: Lists<'a, u64>,
}

struct Lists<'a, T> {
    offsets: &'a [i32],
    values: &'a [T],
}

impl<'a, T> Lists<'a, T> {
    fn of(&self, row: usize) -> &'a [T] {
        let at = |row: usize| usize::try_from(self.offsets.get(row).copied().unwrap_or(0)).unwrap_or(0);
        self.values.get(at(row)..at(row + 1)).unwrap_or(&[])
    }
}

impl<'a> Sketches<'a> {
    /// What a row's sketch was kept as.
    pub(crate) fn of(&self, row: usize) -> Kept<'a> {
        Kept {
            bins: self.bins.of(row),
            counts: self.counts.of(row),
            sum: self.sums[row],
            min: self.mins[row],
            max: self.maxes[row],
        }
    }
}

impl<'a> Columns<'a> {
    /// The columns that [`Builder::sketches`] made. Their number of values is for other readers; it is the sum of the counts.
    pub(crate) fn sketches(&self, names: &SketchNames) -> Result<Sketches<'a>> {
        Ok(Sketches {
            sums: self.all(names.sum, self.u64s(names.sum)?)?,
            mins: self.all(names.min, self.u64s(names.min)?)?,
            maxes: self.all(names.max, self.u64s(names.max)?)?,
            bins: self.lists::<UInt16Type>(names.bins)?,
            counts: self.lists::<UInt64Type>(names.counts)?,
        })
    }

    fn lists<T: ArrowPrimitiveType>(&self, name: &'static str) -> Result<Lists<'a, T::Native>> {
        let is_list = |kind: &DataType| matches!(kind, DataType::List(field) if *field.data_type() == T::DATA_TYPE);
        let list = self.column(name, is_list)?.as_list::<i32>();
        let values = list.values().as_primitive::<T>();
        if list.null_count() > 0 || values.null_count() > 0 {
            return Err(self.wrong(name, "has a null"));
        }
        Ok(Lists {
            offsets: list.value_offsets(),
            values: values.values(),
        })
    }
}
