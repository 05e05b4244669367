//! The pages, built into the program: hashed assets for ever, `index.html` never from a cache, and headers that let nothing
//! in from elsewhere.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use memory_serve::CacheControl;
use tower_http::compression::CompressionLayer;

/// Everything from here, nothing inline. Worker and map tiles are our own files too.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "geolocation=(), camera=(), microphone=()"),
];

/// The pages' routes.
#[allow(unused_qualifications, clippy::indexing_slicing, clippy::panic, reason = "code that memory-serve generates")]
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    memory_serve::load!()
        .index_file(Some("/index.html"))
        // Packed once, when the program was built. Whoever wants gzip (a browser without TLS) gets it packed on the way:
        // packing all of it at each start would take seconds.
        .enable_gzip(false)
        .enable_brotli(true)
        .html_cache_control(CacheControl::NoCache)
        .cache_control(CacheControl::Long)
        .into_router()
        .layer(CompressionLayer::new())
}

/// Puts the headers on every answer, and takes the long cache away from what has no hash in its name.
pub fn secured<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(middleware::from_fn(|request: Request, next: Next| async move {
        let hashed = request.uri().path().starts_with("/assets/") || request.uri().path().starts_with("/api/");
        let mut response: Response = next.run(request).await;
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if !hashed {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        response
    }))
}
