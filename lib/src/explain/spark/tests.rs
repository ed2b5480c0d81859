use super::*;

#[test]
fn parts_are_filled_in_once() {
    let parts = [("@A@", "<@B@>".to_owned()), ("@B@", "b".to_owned())];
    assert_eq!(fill("x@A@y @ B@B@", &parts), "x<@B@>y @ Bb");
}
