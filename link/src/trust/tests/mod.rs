mod identity;
mod peers;
mod tls;
