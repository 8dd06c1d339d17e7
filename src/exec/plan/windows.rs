//! Pooling in a draft: a view of the input for each place in the window.

use super::draft::{View, Writer};
use super::layout::Layout;
use crate::exec::kernels::rows::Action;
use crate::exec::reference::RunError;
use crate::ops::Scalar;
use crate::ops::pool::{Kind, Pool};
use smallvec::{SmallVec, smallvec};

/// Windows of more places are left to the reference.
const MOST: i64 = 32;

impl Writer<'_> {
    /// The largest or the mean of windows without padding; their adjoints where windows do not overlap.
    pub(super) fn pool(
        &mut self,
        pool: &Pool,
        args: &[View],
        to: &[usize],
    ) -> Result<Option<View>, RunError> {
        let frame = &pool.frame;
        for (low, high) in &frame.padding {
            if low.eval(self.bindings)? != 0 || high.eval(self.bindings)? != 0 {
                return Ok(None);
            }
        }
        let apart = frame.dilation.iter().all(|&step| step == 1)
            && frame.stride.iter().zip(&pool.window).all(|(stride, window)| stride >= window);
        if pool.window.iter().product::<i64>() > MOST {
            return Ok(None);
        }
        let dtype = self.dtype(&args[0]);
        let sum = |writer: &mut Self, parts: Vec<View>, row: Scalar| {
            let mut parts = parts.into_iter();
            let first = parts.next()?;
            Some(parts.fold(first, |sum, part| writer.scalar(row, smallvec![sum, part])))
        };
        let parts = |layout: &Layout, counts: &[usize]| taps(pool, layout, counts);
        let see = |view: &View, layouts: Vec<Layout>| -> Vec<View> {
            layouts.into_iter().map(|layout| View { of: view.of, layout }).collect()
        };
        let count = pool.window.iter().product::<i64>() as f64;
        Ok(match &pool.kind {
            Kind::Max => {
                let Some(layouts) = parts(&args[0].layout, to) else { return Ok(None) };
                sum(self, see(&args[0], layouts), Scalar::Maximum)
            }
            Kind::Mean { .. } => {
                let Some(layouts) = parts(&args[0].layout, to) else { return Ok(None) };
                let total = sum(self, see(&args[0], layouts), Scalar::Add);
                let count = self.fill(dtype, count, to);
                total.map(|total| self.scalar(Scalar::Div, smallvec![total, count]))
            }
            Kind::MaxAdjoint if apart => {
                let (x, dy) = (&args[0], &args[1]);
                let counts = dy.layout.sizes.clone();
                let Some(layouts) = parts(&x.layout, &counts) else { return Ok(None) };
                let seen = see(x, layouts);
                let Some(top) = sum(self, seen.clone(), Scalar::Maximum) else { return Ok(None) };
                let (one, zero) = (self.fill(dtype, 1.0, &counts), self.fill(dtype, 0.0, &counts));
                let chosen: Vec<View> =
                    seen.into_iter().map(|part| self.compared(part, top.clone())).collect();
                let ties: Vec<View> = chosen
                    .iter()
                    .map(|chosen| {
                        let args = smallvec![chosen.clone(), one.clone(), zero.clone()];
                        self.typed(Action::Select, dtype, &counts, args)
                    })
                    .collect();
                let Some(ties) = sum(self, ties, Scalar::Add) else { return Ok(None) };
                let share = self.scalar(Scalar::Div, smallvec![dy.clone(), ties]);
                let shares: SmallVec<[View; 2]> = chosen
                    .into_iter()
                    .map(|chosen| {
                        let args = smallvec![chosen, share.clone(), zero.clone()];
                        self.typed(Action::Select, dtype, &counts, args)
                    })
                    .collect();
                let Some(places) = parts(&Layout::rows(to), &counts) else { return Ok(None) };
                let gaps = counts.iter().product::<usize>() * places.len() < to.iter().product();
                Some(self.moved(places, gaps, to, shares))
            }
            Kind::MeanAdjoint { .. } if apart => {
                let dy = args[0].clone();
                let counts = dy.layout.sizes.clone();
                let Some(places) = parts(&Layout::rows(to), &counts) else { return Ok(None) };
                let divisor = self.fill(dtype, count, &counts);
                let share = self.scalar(Scalar::Div, smallvec![dy, divisor]);
                let gaps = counts.iter().product::<usize>() * places.len() < to.iter().product();
                let shares = places.iter().map(|_| share.clone()).collect();
                Some(self.moved(places, gaps, to, shares))
            }
            _ => None,
        })
    }
}

/// For each place in the window the elements that stand there, one for each window; nothing where windows reach too far.
fn taps(pool: &Pool, layout: &Layout, counts: &[usize]) -> Option<Vec<Layout>> {
    let lead = layout.sizes.len().checked_sub(pool.window.len())?;
    let mut taps = vec![layout.clone()];
    for (axis, &window) in pool.window.iter().enumerate() {
        let (stride, dilation) = (pool.frame.stride[axis], pool.frame.dilation[axis]);
        let count = counts[lead + axis];
        let last = (count as i64 - 1) * stride + (window - 1) * dilation;
        if count == 0 || last >= layout.sizes[lead + axis] as i64 {
            return None;
        }
        taps = taps
            .into_iter()
            .flat_map(|layout| {
                (0..window).map(move |tap| {
                    let mut layout = layout.clone();
                    layout.cut(lead + axis, (tap * dilation) as isize, count, stride as isize);
                    layout
                })
            })
            .collect();
    }
    Some(taps)
}
