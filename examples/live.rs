//! The page of a study, finished or running, with news as they come:
//! `cargo run --release -p autoresearch-report --features live --example live -- study.db 8080`, then a browser.
use autoresearch_report::Live;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut given = std::env::args().skip(1);
    let study = given.next().unwrap_or_else(|| "study.db".into());
    let port = given.next().map_or(Ok(0), |port| port.parse())?;
    let live = Live::bind(study, port).await?;
    println!("http://{}/", live.address()?);
    Ok(live.serve().await?)
}
