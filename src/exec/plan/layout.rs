//! How an array lies in memory: the sizes of its axes and the steps from element to element.

use smallvec::SmallVec;

/// The sizes of the axes.
pub type Sizes = SmallVec<[usize; 4]>;

/// An array within a run of elements: element `i` lies at `offset + Σ i[axis] * steps[axis]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// The sizes of the axes.
    pub sizes: Sizes,
    /// The steps along the axes.
    pub steps: SmallVec<[isize; 4]>,
    /// The place of the first element.
    pub offset: isize,
}

impl Layout {
    /// Row after row, from the first element on.
    pub fn rows(sizes: &[usize]) -> Layout {
        let mut steps: SmallVec<[isize; 4]> = SmallVec::from_elem(1, sizes.len());
        for axis in (1..sizes.len()).rev() {
            steps[axis - 1] = steps[axis].wrapping_mul(sizes[axis] as isize);
        }
        Layout { sizes: sizes.into(), steps, offset: 0 }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Whether it is row after row without a gap, from wherever it starts.
    pub fn is_dense(&self) -> bool {
        let mut step = 1;
        for (&size, &found) in self.sizes.iter().zip(&self.steps).rev() {
            if size != 1 && found != step {
                return self.len() == 0;
            }
            step *= size as isize;
        }
        true
    }

    /// Whether it is all of a dense array of its size.
    pub fn is_whole(&self) -> bool {
        self.offset == 0 && self.is_dense()
    }

    /// Whether all elements are one.
    pub fn is_single(&self) -> bool {
        self.sizes.iter().zip(&self.steps).all(|(&size, &step)| size == 1 || step == 0)
    }

    /// Laid into a larger shape: for each axis of the result the axis that lies there.
    pub fn broadcast(&self, to: &[usize], from: &[Option<u8>]) -> Layout {
        let steps = from
            .iter()
            .map(|from| match from {
                Some(axis) if self.sizes[*axis as usize] != 1 => self.steps[*axis as usize],
                _ => 0,
            })
            .collect();
        Layout { sizes: to.into(), steps, offset: self.offset }
    }

    /// With the axes in another order.
    pub fn permute(&self, order: &[usize]) -> Layout {
        Layout {
            sizes: order.iter().map(|&axis| self.sizes[axis]).collect(),
            steps: order.iter().map(|&axis| self.steps[axis]).collect(),
            offset: self.offset,
        }
    }

    /// The other way round along an axis.
    pub fn flip(&mut self, axis: usize) {
        self.offset += self.steps[axis] * (self.sizes[axis].max(1) as isize - 1);
        self.steps[axis] = -self.steps[axis];
    }

    /// From `start` on in steps of `step`, `size` elements of an axis.
    pub fn cut(&mut self, axis: usize, start: isize, size: usize, step: isize) {
        self.offset += self.steps[axis] * start;
        self.steps[axis] *= step;
        self.sizes[axis] = size;
    }

    /// Without an axis, of which element `at` is taken.
    pub fn at(&mut self, axis: usize, at: isize) {
        self.offset += self.steps[axis] * at;
        self.steps.remove(axis);
        self.sizes.remove(axis);
    }

    /// In another shape with as many elements in the same order, where steps can say so.
    pub fn reshape(&self, to: &[usize]) -> Option<Layout> {
        let mut steps: SmallVec<[isize; 4]> = SmallVec::from_elem(0, to.len());
        if self.len() == 0 {
            return Some(Layout { offset: self.offset, ..Layout::rows(to) });
        }
        let merged = self.merged();
        let mut place = to.len();
        for (&size, &step) in merged.sizes.iter().zip(&merged.steps).rev() {
            let (mut rest, mut step) = (size, step);
            while rest > 1 {
                place = place.checked_sub(1)?;
                if rest % to[place] != 0 {
                    return None;
                }
                steps[place] = step;
                step *= to[place] as isize;
                rest /= to[place];
            }
        }
        Some(Layout { sizes: to.into(), steps, offset: self.offset })
    }

    /// The same elements in the same order over as few axes as can be.
    pub fn merged(&self) -> Layout {
        let mut merged =
            Layout { sizes: Sizes::new(), steps: SmallVec::new(), offset: self.offset };
        for (&size, &step) in self.sizes.iter().zip(&self.steps) {
            if size == 1 {
                continue;
            }
            match (merged.sizes.last_mut(), merged.steps.last_mut()) {
                (Some(last), Some(outer)) if *outer == step * size as isize => {
                    *last *= size;
                    *outer = step;
                }
                _ => {
                    merged.sizes.push(size);
                    merged.steps.push(step);
                }
            }
        }
        merged
    }

    /// The places of all elements in order.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let mut index: Sizes = SmallVec::from_elem(0, self.sizes.len());
        let mut place = self.offset;
        (0..self.len()).map(move |_| {
            let here = place;
            for axis in (0..self.sizes.len()).rev() {
                index[axis] += 1;
                place += self.steps[axis];
                if index[axis] < self.sizes[axis] {
                    break;
                }
                place -= self.steps[axis] * self.sizes[axis] as isize;
                index[axis] = 0;
            }
            here as usize
        })
    }
}

/// Layouts of one shape over as few axes as all of them allow; of no axis where there is no element.
pub fn merged<const N: usize>(layouts: &[&Layout; N]) -> [Layout; N] {
    let start = |layout: &Layout| Layout {
        sizes: Sizes::new(),
        steps: SmallVec::new(),
        offset: layout.offset,
    };
    let mut merged = layouts.map(start);
    for axis in 0..layouts.first().map_or(0, |layout| layout.sizes.len()) {
        let size = layouts[0].sizes[axis];
        if size == 1 {
            continue;
        }
        let joins = layouts.iter().zip(&merged).all(|(layout, merged)| {
            merged.steps.last().is_some_and(|&outer| outer == layout.steps[axis] * size as isize)
        });
        for (layout, merged) in layouts.iter().zip(&mut merged) {
            match (merged.sizes.last_mut(), merged.steps.last_mut()) {
                (Some(last), Some(step)) if joins => {
                    *last *= size;
                    *step = layout.steps[axis];
                }
                _ => {
                    merged.sizes.push(size);
                    merged.steps.push(layout.steps[axis]);
                }
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(layout: &Layout) -> Vec<usize> {
        layout.places().collect()
    }

    #[test]
    fn reshapes_are_views_where_steps_can_say_so() {
        let layout = Layout::rows(&[2, 3, 4]);
        assert_eq!(layout.reshape(&[6, 4]), Some(Layout::rows(&[6, 4])));
        assert_eq!(layout.permute(&[1, 0, 2]).reshape(&[6, 4]), None);
        let split = layout.permute(&[2, 0, 1]).reshape(&[2, 2, 6]).expect("an axis is split");
        assert_eq!(places(&split), places(&layout.permute(&[2, 0, 1])));
        let spread = Layout::rows(&[3]).broadcast(&[2, 3], &[None, Some(0)]);
        assert_eq!(
            places(&spread.reshape(&[2, 1, 3]).expect("an axis of size 1")),
            [0, 1, 2, 0, 1, 2]
        );
    }

    #[test]
    fn cuts_and_flips_move_the_start() {
        let mut layout = Layout::rows(&[2, 5]);
        layout.cut(1, 4, 2, -2);
        assert_eq!(places(&layout), [4, 2, 9, 7]);
        layout.flip(0);
        assert_eq!(places(&layout), [9, 7, 4, 2]);
        layout.at(1, 1);
        assert_eq!(places(&layout), [7, 2]);
    }

    #[test]
    fn layouts_are_merged_together() {
        let (all, row) = (Layout::rows(&[2, 3, 4]), Layout::rows(&[4]));
        let row = row.broadcast(&[2, 3, 4], &[None, None, Some(0)]);
        let merged = merged(&[&all, &row]);
        assert_eq!(merged[0].sizes.as_slice(), [6, 4]);
        assert_eq!(merged[1].steps.as_slice(), [0, 1]);
    }
}
