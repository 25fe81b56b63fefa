//! Values under small numbers that are used again.

use std::ops::{Index, IndexMut};

/// Values by number; a number is free again when its value is taken out.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    values: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(at) = self.free.pop() {
            self.values[at as usize] = Some(value);
            return at;
        }
        self.values.push(Some(value));
        self.values.len() as u32 - 1
    }

    pub(crate) fn get(&self, at: u32) -> Option<&T> {
        self.values.get(at as usize)?.as_ref()
    }

    pub(crate) fn remove(&mut self, at: u32) -> T {
        self.free.push(at);
        self.values[at as usize].take().expect("a number is taken out once")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.len() == self.free.len()
    }

    /// All values with their numbers.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.values
            .iter_mut()
            .enumerate()
            .filter_map(|(at, value)| Some((at as u32, value.as_mut()?)))
    }
}

impl<T> Index<u32> for Slots<T> {
    type Output = T;

    fn index(&self, at: u32) -> &T {
        self.values[at as usize]
            .as_ref()
            .expect("whoever holds a number knows that it is in use")
    }
}

impl<T> IndexMut<u32> for Slots<T> {
    fn index_mut(&mut self, at: u32) -> &mut T {
        self.values[at as usize]
            .as_mut()
            .expect("whoever holds a number knows that it is in use")
    }
}
