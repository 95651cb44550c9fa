mod crashes;
mod damage;
mod forgets;
mod full;
mod host;
mod kill;
mod support;
