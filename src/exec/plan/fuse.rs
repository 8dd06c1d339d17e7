//! Which items run together: maps and folds over one space become groups, cut by levels so that no two wait for each other.

use super::draft::{Draft, Id, Item, Kind, View};
use super::layout::{Layout, Sizes};
use crate::tensor::DType;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What runs at once.
#[derive(Clone, Debug)]
pub enum Unit {
    /// An item by itself.
    Item(Id),
    /// Maps and folds tile by tile.
    Group(Group),
}

impl Unit {
    /// The items in it, in order.
    pub fn members(&self) -> &[Id] {
        match self {
            Unit::Item(id) => std::slice::from_ref(id),
            Unit::Group(group) => &group.members,
        }
    }
}

/// Maps and folds over one space.
#[derive(Clone, Debug)]
pub struct Group {
    /// The space.
    pub sizes: Sizes,
    /// So many axes at its end are a row; 0 where nothing goes by rows.
    pub cut: usize,
    /// The members, in order.
    pub members: Vec<Id>,
}

/// What a fold is for its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// No fold.
    Map,
    /// Of each row, for use within the group.
    Tail,
    /// Over leading axes, done when the group is.
    Head,
    /// Over all, done when the group is.
    All,
}

/// Rows of more elements are no tiles.
const WIDEST: usize = 1 << 15;
/// What has up to so many elements may be one row.
const SMALL: usize = 1 << 10;

const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Space {
    parent: Cell<u32>,
    sizes: Sizes,
    cut: Option<usize>,
    dtype: Option<DType>,
    heads: bool,
    ends: bool,
}

/// The units of a draft, in the order in which they run.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// For each item its role.
    pub roles: Vec<Role>,
    /// The units.
    pub units: Vec<Unit>,
    /// For each item whether it is needed.
    pub live: Vec<bool>,
    /// Products that are one with a sum, where that does not follow from the units.
    pub merged: Option<FxHashMap<Id, Id>>,
    /// What is written to memory though nothing else reads it.
    pub written: FxHashSet<Id>,
    /// For each item what it is a copy of; none where there are no copies.
    pub origins: Vec<Id>,
}

impl Order {
    /// What an item is a copy of, or else itself.
    pub fn origin(&self, id: Id) -> Id {
        self.origins.get(id as usize).copied().unwrap_or(id)
    }
}

/// How an operand lies in the space of its user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Same,
    /// A number for each row of so many axes.
    Prefix(usize),
    Apart,
}

/// The units of what the results need.
pub fn order(draft: &Draft, results: &[Id]) -> Order {
    let live = live(draft, results);
    let (roles, units) = fuse(draft, &live, results);
    Order { roles, units, live, ..Order::default() }
}

/// The roles of all items and the units in an order of execution.
pub fn fuse(draft: &Draft, live: &[bool], results: &[Id]) -> (Vec<Role>, Vec<Unit>) {
    let count = draft.items.len();
    let mut fusion = Fusion {
        draft,
        spaces: Vec::new(),
        space: vec![NONE; count],
        level: vec![0; count],
        role: vec![Role::Map; count],
    };
    for id in (0..count as Id).filter(|&id| live[id as usize]) {
        fusion.place(id);
    }
    let users = fusion.users(live);
    fusion.sink(live, results, &users);
    fusion.sink_items(live, results, &users);
    let units = fusion.units(live);
    (fusion.role, units)
}

/// Which items the results need.
pub fn live(draft: &Draft, results: &[Id]) -> Vec<bool> {
    let mut live = vec![false; draft.items.len()];
    results.iter().for_each(|&id| live[id as usize] = true);
    for id in (0..draft.items.len()).rev().filter(|&id| !draft.items[id].args.is_empty()) {
        if live[id] {
            draft.items[id].args.iter().for_each(|view| live[view.of as usize] = true);
        }
    }
    live
}

/// Whether an item is there before anything runs.
pub fn is_leaf(item: &Item) -> bool {
    matches!(item.kind, Kind::Variable(_) | Kind::Number(_) | Kind::Constant(_))
}

struct Fusion<'a> {
    draft: &'a Draft,
    spaces: Vec<Space>,
    space: Vec<u32>,
    level: Vec<u32>,
    role: Vec<Role>,
}

/// For each item that lies in a space its users, and how they read it.
struct Users {
    /// Where the users of each item begin among all of them.
    starts: Vec<u32>,
    all: Vec<(Id, Edge)>,
}

impl Users {
    fn of(&self, id: Id) -> &[(Id, Edge)] {
        let (from, to) = (self.starts[id as usize], self.starts[id as usize + 1]);
        &self.all[from as usize..to as usize]
    }
}

impl Fusion<'_> {
    fn users(&self, live: &[bool]) -> Users {
        let count = self.draft.items.len();
        let reads = || {
            let ids = (0..count as Id).filter(|&id| live[id as usize]);
            let views = ids.flat_map(|id| self.item(id).args.iter().map(move |view| (id, view)));
            views.filter(|(_, view)| self.space[view.of as usize] != NONE)
        };
        let mut starts = vec![0u32; count + 1];
        reads().for_each(|(_, view)| starts[view.of as usize + 1] += 1);
        (0..count).for_each(|id| starts[id + 1] += starts[id]);
        let mut next = starts.clone();
        let mut all = vec![(0, Edge::Apart); starts[count] as usize];
        for (id, view) in reads() {
            all[next[view.of as usize] as usize] = (id, self.edge(view));
            next[view.of as usize] += 1;
        }
        Users { starts, all }
    }

    fn item(&self, id: Id) -> &Item {
        &self.draft.items[id as usize]
    }

    fn find(&self, mut space: u32) -> u32 {
        loop {
            let parent = &self.spaces[space as usize].parent;
            let above = self.spaces[parent.get() as usize].parent.get();
            if parent.get() == space {
                return space;
            }
            parent.set(above);
            space = above;
        }
    }

    fn root(&self, id: Id) -> Option<u32> {
        let space = self.space[id as usize];
        (space != NONE).then(|| self.find(space))
    }

    fn edge(&self, view: &View) -> Edge {
        let (sizes, layout) = (&self.item(view.of).sizes, &view.layout);
        if layout.sizes == *sizes && layout.is_whole() {
            return Edge::Same;
        }
        let rank = sizes.len();
        let prefix = layout.offset == 0
            && rank < layout.sizes.len()
            && layout.sizes[..rank] == sizes[..]
            && layout.steps[rank..].iter().all(|&step| step == 0)
            && Layout { sizes: sizes.clone(), steps: layout.steps[..rank].into(), offset: 0 }
                .is_dense();
        if prefix { Edge::Prefix(layout.sizes.len() - rank) } else { Edge::Apart }
    }

    fn place(&mut self, id: Id) {
        let item = &self.draft.items[id as usize];
        if is_leaf(item) {
            return;
        }
        let fused = matches!(item.kind, Kind::Map(_) | Kind::FoldTail(..) | Kind::FoldHead(..));
        let mut level = 0;
        let mut near: Vec<(Id, Edge)> = Vec::new();
        for view in item.args.iter().filter(|view| !is_leaf(self.item(view.of))) {
            let of = view.of as usize;
            let edge = self.edge(view);
            let ended = matches!(self.role[of], Role::Head | Role::All);
            if fused && edge != Edge::Apart && !ended && self.space[of] != NONE {
                near.push((view.of, edge));
                level = level.max(self.level[of]);
            } else {
                level = level.max(self.level[of] + 1);
            }
        }
        self.level[id as usize] = level;
        if !fused {
            return;
        }
        near.retain(|(of, _)| self.level[*of as usize] == level);
        let joined = match item.kind {
            Kind::Map(_) => self.join_map(id, &near),
            _ => self.join_fold(id, &near),
        };
        if !joined {
            self.level[id as usize] = level + u32::from(!near.is_empty());
            self.begin(id);
        }
    }

    /// The float type that a member is computed in.
    fn float(&self, id: Id) -> Option<DType> {
        let item = self.item(id);
        let own = Some(item.dtype).filter(|dtype| dtype.is_float());
        own.or_else(|| {
            item.args.iter().map(|view| self.item(view.of).dtype).find(|dtype| dtype.is_float())
        })
    }

    /// A space of its own.
    fn begin(&mut self, id: Id) {
        let item = &self.draft.items[id as usize];
        let (mut sizes, mut cut, mut role) = (item.sizes.clone(), None, Role::Map);
        match item.kind {
            Kind::FoldTail(_, axes) => {
                sizes = item.args[0].layout.sizes.clone();
                let all = axes == sizes.len() && item.args[0].layout.len() > SMALL;
                cut = (!all).then_some(axes);
                role = if all { Role::All } else { Role::Tail };
            }
            Kind::FoldHead(..) => {
                sizes = item.args[0].layout.sizes.clone();
                role = Role::Head;
            }
            _ => {}
        }
        self.role[id as usize] = role;
        self.space[id as usize] = self.spaces.len() as u32;
        self.spaces.push(Space {
            parent: Cell::new(self.spaces.len() as u32),
            sizes,
            cut,
            dtype: self.float(id),
            heads: role == Role::Head,
            ends: matches!(role, Role::Head | Role::All),
        });
    }

    /// The common space of all operands of the same level, and whether the map lies in it as it is or by rows.
    fn join_map(&mut self, id: Id, near: &[(Id, Edge)]) -> bool {
        let sizes = self.item(id).sizes.clone();
        let by_rows = near.iter().find_map(|(_, edge)| match edge {
            Edge::Prefix(axes) => Some(*axes),
            _ => None,
        });
        let row_of = near.iter().find_map(|&(of, _)| {
            let space = &self.spaces[self.root(of)? as usize];
            (space.sizes.len() > self.item(of).sizes.len()).then_some(space)
        });
        let (full, cut, row) = match (by_rows, row_of) {
            (Some(axes), _) => (sizes.clone(), Some(axes), false),
            (None, Some(space)) => (space.sizes.clone(), space.cut, true),
            (None, None) => (sizes.clone(), None, false),
        };
        let mut roots: Vec<u32> = near.iter().filter_map(|(of, _)| self.root(*of)).collect();
        roots.sort_unstable();
        roots.dedup();
        let mut places = Vec::new();
        for (of, edge) in near {
            let wants_row = row || matches!(edge, Edge::Prefix(_));
            if matches!(edge, Edge::Prefix(axes) if Some(*axes) != by_rows) {
                return false;
            }
            places.push((*of, wants_row));
        }
        let Some(cut) = self.fits(&places, &full, cut) else { return false };
        let Some(dtype) = self.agree(&roots, self.float(id)) else { return false };
        match roots.split_first() {
            None => return false,
            Some((&first, rest)) => {
                self.unite(first, rest, full, cut, dtype);
                self.space[id as usize] = first;
            }
        }
        true
    }

    /// Whether the spaces of the operands are, or may become, one; the axes of its rows.
    fn fits(
        &self,
        operands: &[(Id, bool)],
        full: &Sizes,
        cut: Option<usize>,
    ) -> Option<Option<usize>> {
        let mut common = cut;
        for &(of, _) in operands {
            let space = &self.spaces[self.root(of)? as usize];
            if space.sizes == *full && space.cut.is_some() {
                if common.is_some() && common != space.cut {
                    return None;
                }
                common = space.cut;
            }
        }
        if let Some(axes) = common {
            let width: usize = full[full.len().checked_sub(axes)?..].iter().product();
            let rows: usize = full[..full.len() - axes].iter().product();
            if width > if rows > 1 { WIDEST } else { SMALL } {
                return None;
            }
        }
        for &(of, wants_row) in operands {
            let space = &self.spaces[self.root(of)? as usize];
            let sizes = &self.item(of).sizes;
            let stays = space.sizes == *full && (sizes.len() < full.len()) == wants_row;
            let absorbed = wants_row
                && space.cut.is_none()
                && !space.heads
                && common.is_some_and(|axes| space.sizes[..] == full[..full.len() - axes]);
            if !stays && !absorbed {
                return None;
            }
        }
        Some(common)
    }

    fn agree(&self, roots: &[u32], mut dtype: Option<DType>) -> Option<Option<DType>> {
        for &root in roots {
            match (dtype, self.spaces[root as usize].dtype) {
                (Some(a), Some(b)) if a != b => return None,
                (known, other) => dtype = known.or(other),
            }
        }
        Some(dtype)
    }

    fn unite(
        &mut self,
        first: u32,
        rest: &[u32],
        sizes: Sizes,
        cut: Option<usize>,
        dtype: Option<DType>,
    ) {
        for &other in rest {
            self.spaces[other as usize].parent.set(first);
            self.spaces[first as usize].heads |= self.spaces[other as usize].heads;
            self.spaces[first as usize].ends |= self.spaces[other as usize].ends;
        }
        let space = &mut self.spaces[first as usize];
        (space.sizes, space.cut, space.dtype) = (sizes, cut, dtype);
    }

    fn join_fold(&mut self, id: Id, near: &[(Id, Edge)]) -> bool {
        let &[(of, Edge::Same)] = near else { return false };
        let Some(root) = self.root(of) else { return false };
        let operand = &self.item(of).sizes;
        let space = &self.spaces[root as usize];
        let whole = *operand == space.sizes;
        let count: usize = operand.iter().product();
        let (role, cut) = match self.item(id).kind {
            Kind::FoldHead(..) if whole => (Role::Head, space.cut),
            Kind::FoldTail(_, axes) => {
                let rows: usize = operand[..operand.len() - axes].iter().product();
                let limit = if rows > 1 { WIDEST } else { SMALL };
                let narrow = count <= limit.saturating_mul(rows.max(1));
                let open = space.cut.is_none_or(|cut| cut == axes);
                if whole && narrow && open {
                    (Role::Tail, Some(axes))
                } else if axes == operand.len() {
                    (Role::All, space.cut)
                } else {
                    return false;
                }
            }
            _ => return false,
        };
        let Some(dtype) = self.agree(&[root], self.float(id)) else { return false };
        let space = &mut self.spaces[root as usize];
        space.cut = cut;
        space.dtype = dtype;
        space.heads |= role == Role::Head;
        space.ends |= matches!(role, Role::Head | Role::All);
        self.role[id as usize] = role;
        self.space[id as usize] = root;
        true
    }

    /// Moves what only one later group needs into that group.
    fn sink(&mut self, live: &[bool], results: &[Id], users: &Users) {
        let mut members: Vec<Vec<Id>> = vec![Vec::new(); self.spaces.len()];
        let mut wanted = vec![false; self.draft.items.len()];
        results.iter().for_each(|&id| wanted[id as usize] = true);
        for id in (0..self.draft.items.len() as Id).filter(|&id| live[id as usize]) {
            if let Some(root) = self.root(id) {
                members[root as usize].push(id);
            }
        }
        let level_of = |members: &[Id]| members.first().map(|&id| self.level[id as usize]);
        let mut order: Vec<(u32, u32)> = (0..self.spaces.len() as u32)
            .filter_map(|space| Some((level_of(&members[space as usize])?, space)))
            .collect();
        order.sort_unstable_by_key(|&pair| Reverse(pair));
        for (_, space) in order {
            let mine = &members[space as usize];
            if self.spaces[space as usize].ends || mine.iter().any(|&id| wanted[id as usize]) {
                continue;
            }
            let mut target = None;
            let mut operands = Vec::new();
            let mut apart = false;
            for &id in mine {
                for &(user, edge) in users.of(id) {
                    let root = self.root(user);
                    if root == Some(space) {
                        continue;
                    }
                    apart |= edge == Edge::Apart
                        || root.is_none()
                        || target.is_some_and(|t| Some(t) != root);
                    target = root.or(target);
                    if let (Some(root), Edge::Same | Edge::Prefix(_)) = (root, edge) {
                        let user_rows = self.user_is_row(user, root);
                        operands.push((id, user_rows || matches!(edge, Edge::Prefix(_)), edge));
                    }
                }
            }
            let Some(target) = target.filter(|_| !apart) else { continue };
            let goal = self.spaces[target as usize].clone();
            let rows = operands.iter().find_map(|(_, _, edge)| match edge {
                Edge::Prefix(axes) => Some(*axes),
                _ => None,
            });
            let cut = goal.cut.or(rows);
            if rows.is_some() && rows != cut {
                continue;
            }
            let places: Vec<(Id, bool)> = operands.iter().map(|&(id, row, _)| (id, row)).collect();
            let Some(cut) = self.fits(&places, &goal.sizes, cut) else { continue };
            let Some(dtype) = self.agree(&[space, target], None) else { continue };
            self.unite(target, &[space], goal.sizes, cut, dtype);
            let moved = std::mem::take(&mut members[space as usize]);
            members[target as usize].extend(moved);
        }
    }

    /// Moves single maps into the one later group that needs them, where what they read is in memory anyway: a mask of a
    /// value costs less than to keep it.
    fn sink_items(&mut self, live: &[bool], results: &[Id], users: &Users) {
        let count = self.draft.items.len();
        let mut kept = vec![false; count];
        results.iter().for_each(|&id| kept[id as usize] = true);
        for id in (0..count as Id).filter(|&id| live[id as usize]) {
            for view in &self.draft.items[id as usize].args {
                let of = view.of as usize;
                if self.space[of] != NONE {
                    kept[of] |= self.root(id) != self.root(view.of);
                }
            }
        }
        let mut wanted = vec![false; count];
        results.iter().for_each(|&id| wanted[id as usize] = true);
        for id in (0..count as Id).rev().filter(|&id| live[id as usize] && !wanted[id as usize]) {
            let item = &self.draft.items[id as usize];
            let (Kind::Map(_), Some(own)) = (&item.kind, self.root(id)) else { continue };
            let Some(&(first, _)) = users.of(id).first() else { continue };
            let Some(target) = self.root(first).filter(|&target| target != own) else { continue };
            let goal = &self.spaces[target as usize];
            let one = users.of(id).iter().all(|&(user, edge)| {
                edge == Edge::Same
                    && self.root(user) == Some(target)
                    && self.item(user).sizes == goal.sizes
            });
            let there = item.args.iter().all(|view| {
                let of = self.item(view.of);
                is_leaf(of) || self.space[view.of as usize] == NONE || kept[view.of as usize]
            });
            let same = item.sizes == goal.sizes
                && self.agree(&[target], self.float(id)).is_some_and(|dtype| dtype == goal.dtype);
            // What it reads must not come from the group that it goes to.
            let apart = item.args.iter().all(|view| self.root(view.of) != Some(target));
            if one && there && same && apart {
                self.space[id as usize] = target;
                item.args.iter().for_each(|view| kept[view.of as usize] = true);
            }
        }
    }

    /// Whether what a user reads as it is has a number for each row.
    fn user_is_row(&self, user: Id, root: u32) -> bool {
        let item = self.item(user);
        let read = item.args[0].layout.sizes.len();
        let size = match item.kind {
            Kind::Map(_) => item.sizes.len(),
            _ => read,
        };
        size < self.spaces[root as usize].sizes.len()
    }

    /// The units, each behind all that it needs, near where its last member stood.
    fn units(&self, live: &[bool]) -> Vec<Unit> {
        let count = self.draft.items.len();
        let mut units: Vec<Unit> = Vec::new();
        let mut unit = vec![NONE; count];
        let mut unit_of_space = vec![NONE; self.spaces.len()];
        for id in (0..count as Id).filter(|&id| live[id as usize] && !is_leaf(self.item(id))) {
            let number = match self.root(id) {
                None => {
                    units.push(Unit::Item(id));
                    units.len() as u32 - 1
                }
                Some(root) if unit_of_space[root as usize] == NONE => {
                    let space = &self.spaces[root as usize];
                    units.push(Unit::Group(Group {
                        sizes: space.sizes.clone(),
                        cut: space.cut.unwrap_or(0),
                        members: vec![id],
                    }));
                    unit_of_space[root as usize] = units.len() as u32 - 1;
                    units.len() as u32 - 1
                }
                Some(root) => {
                    let number = unit_of_space[root as usize];
                    if let Unit::Group(group) = &mut units[number as usize] {
                        group.members.push(id);
                    }
                    number
                }
            };
            unit[id as usize] = number;
        }
        let mut waits = vec![0u32; units.len()];
        let mut users: Vec<SmallVec<[u32; 4]>> = vec![SmallVec::new(); units.len()];
        for (number, one) in units.iter().enumerate() {
            for &id in one.members() {
                for view in &self.item(id).args {
                    let from = unit[view.of as usize];
                    if from != NONE && from != number as u32 {
                        waits[number] += 1;
                        users[from as usize].push(number as u32);
                    }
                }
            }
        }
        let key = |number: u32| units[number as usize].members().last().copied().unwrap_or(0);
        let mut ready: BinaryHeap<Reverse<(Id, u32)>> = (0..units.len() as u32)
            .filter(|&number| waits[number as usize] == 0)
            .map(|number| Reverse((key(number), number)))
            .collect();
        let mut order = Vec::with_capacity(units.len());
        while let Some(Reverse((_, number))) = ready.pop() {
            order.push(number);
            for &user in &users[number as usize] {
                waits[user as usize] -= 1;
                if waits[user as usize] == 0 {
                    ready.push(Reverse((key(user), user)));
                }
            }
        }
        let mut units: Vec<Option<Unit>> = units.into_iter().map(Some).collect();
        order.into_iter().filter_map(|number| units[number as usize].take()).collect()
    }
}
