mod attacks;
mod seeds;
mod support;
mod talks;
mod works;
