//! How what loops read moves the next values in their rounds.

use super::lesson::{Lesson, fit};
use super::numbers::{Numbered, Rounds};
use super::product::{Goal, Pair};
use super::reversed::over;
use super::rounds::{Round, ends, index};
use crate::cli::out::Failure;
use crate::compile::lecture::{Loop, Meaning};
use crate::export::formula::Formula;
use crate::ops::Size;
use std::rc::Rc;

/// A sum of products, and where numbers are there its terms.
type Products = (Formula, Option<Vec<Pair>>);

impl<'a> Lesson<'a> {
    /// How an operand of a loop moves the next values in a round; whether by factors.
    pub fn moved_in_rounds(&mut self, own: &'a Loop, place: usize) -> Result<bool, Failure> {
        let Some(goal) = own.inputs[place] else { return Ok(true) };
        let mut inner = self.entered(own, place).0;
        let linear = match own.round.looped(goal) {
            Some((within, place)) => inner.moved_in_rounds(within, place)?,
            None => match own.round.nudge(goal).map_err(fit)? {
                Some(nudge) => inner.movement(goal, &nudge, true)?,
                None => true,
            },
        };
        self.take(own, inner);
        Ok(linear)
    }

    /// The page of the round that an entry of an operand belongs to, and the numbers of the rounds that it acts on first.
    fn entered(&self, own: &'a Loop, place: usize) -> (Lesson<'a>, Vec<Rc<Numbered<'a>>>) {
        let all = self.counted(own);
        let at = |numbered: &Numbered| numbered.at.last().copied();
        let (round, only, entry) = match (self.meaning(own, place), self.entry.clone()) {
            (Meaning::Before(_), entry) => {
                (ends(own)[0].clone(), all.first().and_then(|first| at(first)), entry)
            }
            (Meaning::Slice(_), Some(entry)) if !entry.is_empty() => {
                let round = Round::At(Size::Known(entry[0] as i64));
                (round, Some(entry[0]), Some(entry[1..].to_vec()))
            }
            (_, entry) => (Round::Any(0), None, entry),
        };
        let chosen = all.iter().filter(|round| only.is_none_or(|only| at(round) == Some(only)));
        let chosen: Vec<_> = chosen.cloned().collect();
        let mut inner = self.round(own, &round);
        inner.rounds = within(own, &chosen);
        inner.entry = entry;
        (inner, chosen)
    }

    /// The derivative by one entry of an operand of a loop: over all rounds that it acts on, forward pass times backward pass.
    pub fn entry_in_rounds(
        &mut self,
        number: usize,
        own: &'a Loop,
        place: usize,
        found: &mut Goal,
    ) -> Result<(), Failure> {
        if let Some((sum, pairs)) = self.products_in_rounds(own, place)? {
            self.summed(number, sum, pairs, found);
        }
        Ok(())
    }

    /// The sum over the rounds of a loop of how one entry of an operand moves the next values times the derivatives by these.
    fn products_in_rounds(
        &mut self,
        own: &'a Loop,
        place: usize,
    ) -> Result<Option<Products>, Failure> {
        let Some(goal) = own.inputs[place] else { return Ok(None) };
        let (mut inner, chosen) = self.entered(own, place);
        let mut axes = Vec::new();
        if let Meaning::Outside(_) = self.meaning(own, place) {
            axes.push(Formula::name(index(own)));
        }
        let looped = own.round.looped(goal);
        if let Some((within, place)) = looped {
            let found = inner.products_in_rounds(within, place)?;
            return Ok(found.map(|(sum, pairs)| (over(axes, sum, looped), pairs)));
        }
        let Some(nudge) = own.round.nudge(goal).map_err(fit)? else { return Ok(None) };
        let ways = inner.ways(goal, &nudge)?;
        let Some(sum) = inner.ways_summed(goal, &ways, &axes) else { return Ok(None) };
        let mut pairs = Vec::new();
        for round in &chosen {
            inner.numbers = Some(round.numbers.clone());
            let ways = inner.ways(goal, &nudge)?;
            pairs.extend(ways.into_iter().flat_map(|way| way.pairs));
        }
        Ok(Some((sum, (!chosen.is_empty()).then_some(pairs))))
    }
}

/// The numbers of the rounds of the loops within rounds.
pub fn within<'a>(own: &Loop, rounds: &[Rc<Numbered<'a>>]) -> Rounds<'a> {
    let all = own.round.loops.iter().filter(|_| !rounds.is_empty()).map(|within| {
        let inner = rounds.iter().flat_map(|round| round.within.get(&within.node));
        (within.node, inner.flatten().cloned().collect())
    });
    all.collect()
}
