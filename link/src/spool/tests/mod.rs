mod crashes;
mod damage;
mod full;
mod host;
mod kill;
mod support;
