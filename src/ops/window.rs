//! How windows lie along axes: how many there are, what is inside each, and how that is written.

use super::{Bindings, Dims, Form, Misfit, Size, ValueError, join};

/// The steps and the padding of windows along some axes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// From one window to the next.
    pub stride: Vec<i64>,
    /// From one element of a window to the next.
    pub dilation: Vec<i64>,
    /// What is added before and behind the axis.
    pub padding: Vec<(Size, Size)>,
}

/// An element in a window: row-major places in the axes, in the window and among the windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meeting {
    /// The place in the axes.
    pub element: usize,
    /// The place in the window.
    pub tap: usize,
    /// The number of the window.
    pub window: usize,
}

/// How far a window reaches: `(window - 1) * dilation + 1`.
pub fn span(window: &Size, dilation: i64) -> Size {
    (window.clone() - Size::Known(1)) * Size::Known(dilation) + Size::Known(1)
}

impl Frame {
    /// How many windows of the sizes `window` lie along axes of the sizes `axes`, which are those of operand `operand` from
    /// `first` on.
    pub fn counts(
        &self,
        axes: &[Size],
        window: &[Size],
        (operand, first): (usize, usize),
        dims: &Dims,
    ) -> Result<Vec<Size>, Misfit> {
        let mut counts = Vec::new();
        for (place, size) in axes.iter().enumerate() {
            let (low, high) = &self.padding[place];
            let reach = span(&window[place], self.dilation[place]);
            let room = size.clone() + low.clone() + high.clone() - reach.clone();
            if dims.resolve(&room).known().is_some_and(|room| room < 0) {
                return Err(unfit(&reach, size, low, high).at(operand, first + place));
            }
            let count = room.floor_div(self.stride[place]) + Size::Known(1);
            counts.push(dims.rename(count));
        }
        Ok(counts)
    }

    /// The padding before each axis, where windows are as many as `counts` says.
    pub fn lows(
        &self,
        axes: &[usize],
        window: &[usize],
        counts: &[usize],
        bindings: &Bindings,
    ) -> Result<Vec<i64>, ValueError> {
        let mut lows = Vec::with_capacity(axes.len());
        for place in 0..axes.len() {
            let (low, high) = &self.padding[place];
            let (low, high) = (low.eval(bindings)?, high.eval(bindings)?);
            let (size, stride) = (axes[place], self.stride[place]);
            let reach = (window[place] as i64 - 1) * self.dilation[place] + 1;
            let room = size as i64 + low + high - reach;
            if room < 0 || room / stride + 1 != counts[place] as i64 {
                let [reach, low, high] = [reach, low, high].map(Size::Known);
                let misfit = unfit(&reach, &Size::Known(size as i64), &low, &high);
                return Err(ValueError::Shape(misfit.message));
            }
            lows.push(low);
        }
        Ok(lows)
    }

    /// Every element in every window, padding left out.
    pub fn meetings(
        &self,
        axes: &[usize],
        window: &[usize],
        counts: &[usize],
        bindings: &Bindings,
    ) -> Result<Vec<Meeting>, ValueError> {
        let mut meetings = vec![Meeting::default()];
        for (place, low) in self.lows(axes, window, counts, bindings)?.into_iter().enumerate() {
            let (stride, dilation) = (self.stride[place], self.dilation[place]);
            let (size, taps, count) = (axes[place], window[place], counts[place]);
            let mut along = Vec::new();
            for window in 0..count {
                for tap in 0..taps {
                    let element = window as i64 * stride + tap as i64 * dilation - low;
                    if (0..size as i64).contains(&element) {
                        along.push(Meeting { element: element as usize, tap, window });
                    }
                }
            }
            meetings = meetings
                .iter()
                .flat_map(|outer| {
                    along.iter().map(|inner| Meeting {
                        element: outer.element * size + inner.element,
                        tap: outer.tap * taps + inner.tap,
                        window: outer.window * count + inner.window,
                    })
                })
                .collect();
        }
        Ok(meetings)
    }

    /// The padding with which there are `size / stride`, rounded up, windows along each axis, the odd one behind; where
    /// that is one formula for all sizes.
    pub fn same(&self, axes: &[Size], window: &[Size], dims: &Dims) -> Option<Vec<(Size, Size)>> {
        let pairs = axes.iter().enumerate().map(|(place, size)| {
            let stride = self.stride[place];
            let reach = span(&window[place], self.dilation[place]);
            let last = (size.clone() + Size::Known(stride - 1)).floor_div(stride) - Size::Known(1);
            let total = last * Size::Known(stride) + reach.clone() - size.clone();
            let total = match dims.resolve(&total).known() {
                Some(total) => Size::Known(total.max(0)),
                None if stride == 1 || dims.resolve(&reach).known()? >= stride => total,
                None => return None,
            };
            let low = total.floor_div(2);
            Some((low.clone(), total - low))
        });
        pairs.collect()
    }

    /// The call with what differs from its defaults: `stride`, padding 0, dilation 1.
    pub fn written(
        &self,
        mut form: Form,
        stride: &[i64],
        (axes, window): (&[Size], &[Size]),
    ) -> Form {
        if *self.stride != *stride {
            form = form.with(format!("stride = {}", each(&self.stride)));
        }
        if self.padding.iter().any(|pair| *pair != (Size::Known(0), Size::Known(0))) {
            let even = self.padding.iter().all(|(low, high)| low == high);
            let known = |(low, high): &(Size, Size)| low.known().and(high.known()).is_some();
            let same = || self.same(axes, window, &Dims::default()).as_ref() == Some(&self.padding);
            let text = if !self.padding.iter().all(known) && same() {
                "\"same\"".into()
            } else if even {
                each(&self.padding.iter().map(|(low, _)| low).collect::<Vec<_>>())
            } else {
                let pairs = self.padding.iter().map(|(low, high)| format!("[{low}, {high}]"));
                format!("[{}]", join(pairs))
            };
            form = form.with(format!("padding = {text}"));
        }
        if self.dilation.iter().any(|&step| step != 1) {
            form = form.with(format!("dilation = {}", each(&self.dilation)));
        }
        form
    }
}

fn unfit(reach: &Size, size: &Size, low: &Size, high: &Size) -> Misfit {
    let padding = match (low, high) {
        (Size::Known(0), Size::Known(0)) => String::new(),
        _ => format!(" with padding {low} and {high}"),
    };
    Misfit::shape(format!("a window of {reach} does not fit an axis of size {size}{padding}"))
}

/// One number for all, else a list.
fn each<T: std::fmt::Display + PartialEq>(values: &[T]) -> String {
    match values {
        [first, rest @ ..] if rest.iter().all(|value| value == first) => first.to_string(),
        _ => format!("[{}]", join(values)),
    }
}
