//! What HTTP and JSON cost by themselves: the body of a verify in, its answer out, nothing between.
//! `cargo xtask bench` compares the service with it. The argument is where to listen, `HOST:PORT`.

use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Request {
    session_id: String,
    code: String,
}

#[derive(Serialize)]
struct Success {
    success: bool,
    data: Answer,
}

#[derive(Serialize)]
struct Answer {
    verified: bool,
    email: &'static str,
}

async fn verify(request: web::Json<Request>) -> HttpResponse {
    HttpResponse::Ok().json(Success {
        success: true,
        data: Answer {
            verified: !request.session_id.is_empty() && request.code.len() == 6,
            email: "p0000000@m00.example",
        },
    })
}

/// Workers and times as in `otpost_http::serve`.
fn main() -> std::io::Result<()> {
    let Some(address) = std::env::args().nth(1) else {
        return Err(std::io::Error::other("where to listen? HOST:PORT"));
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    actix_web::rt::System::new().block_on(async {
        HttpServer::new(|| App::new().route("/api/v1/otp/verify", web::post().to(verify)))
            .workers(workers)
            .client_request_timeout(Duration::from_secs(8))
            .client_disconnect_timeout(Duration::from_secs(2))
            .keep_alive(Duration::from_secs(75))
            .bind(address)?
            .run()
            .await
    })
}
