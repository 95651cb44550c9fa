mod crashes;
mod damage;
mod full;
mod host;
mod support;
