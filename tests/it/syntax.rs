//! x
#[test]
fn probe() {
    let text = std::fs::read_to_string(std::env::var("NN").unwrap()).unwrap();
    let (ast, diags) = pullback::syntax::parse(&text, 0);
    for d in &diags {
        let at = |s: pullback::diagnostic::Span| { let l = text[..s.range().start].matches('\n').count() + 1; format!("{l}: {:?}", &text[s.range()]) };
        println!("{} {} | {} {}", d.code, d.message, d.primary.as_ref().map(|l| at(l.span)).unwrap_or_default(), d.primary.as_ref().unwrap().text);
        for h in &d.help { println!("     help: {h}"); }
    }
    println!("{} items, {} exprs", ast.items.len(), ast.exprs.len());
}
#[test]
fn probe_fmt() {
    let text = std::fs::read_to_string(std::env::var("NN").unwrap()).unwrap();
    let once = pullback::syntax::format(&text).unwrap();
    println!("{once}");
    let twice = pullback::syntax::format(&once).unwrap();
    if once != twice { println!("TWICE\n{twice}"); }
}
