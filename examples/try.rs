use pullback::*;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let read = compile::read(&text, &[]);
    println!("{}", diagnostic::render(&read.diagnostics, &[(path, text)], diagnostic::Style::Plain));
    let Some(model) = read.model else { return };
    for level in [compile::Level::Derived, compile::Level::Readable] {
    let d = compile::differentiate(&model, &[compile::default_request(&model).unwrap()], level).unwrap();
    println!("{}", graph::print::print(&d.model, graph::print::Part::Adjoint).text);
    println!("{}", graph::print::print(&d.model, graph::print::Part::Whole).text);
    println!("{:?}", d.report);
    }
}
