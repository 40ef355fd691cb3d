//! What programs of five languages say to each other without the mesh, they say in it, unchanged.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use weft_e2e::{App, Length, Mesh, Namespace, admin, exec, figure, seconds};

/// How each language's program is started.
const LANGUAGES: [(&str, &[&str]); 5] = [
    ("go", &["/polyglot/go"]),
    ("python", &["python3", "/polyglot/python/polyglot.py"]),
    ("node", &["nodejs", "/polyglot/node/polyglot.js"]),
    (
        "java",
        &[
            "java",
            "-cp",
            "/polyglot/java:/usr/share/java/*",
            "Polyglot",
        ],
    ),
    ("rust", &["/polyglot/rust"]),
];

/// Each with the port that speaks it, by the name that tells the mesh so.
const PORTS: [(&str, u16); 4] = [
    ("http", 8080),
    ("http-websocket", 8081),
    ("http2", 8082),
    ("grpc", 8083),
];

const PROTOCOLS: [&str; 6] = ["http1", "upload", "download", "http2", "websocket", "grpc"];

/// One thing that a client tried.
#[derive(Clone, Debug, Deserialize)]
struct Outcome {
    server: String,
    protocol: String,
    /// Empty when it went well.
    fault: String,
}

#[tokio::test]
async fn five_languages_talk_in_the_mesh_as_they_do_without_it() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let plain = mesh.cluster.namespace("poly-plain", &[]).await?;
    let meshed = mesh.namespace("poly-mesh").await?;
    let [stranger, member] = [start(&plain).await?, start(&meshed).await?];

    let mut faults = Vec::new();
    let [short, long] = [(4, 16), (32, 1024)].map(|(gate, soak)| Length::chosen().pick(gate, soak));
    for (setting, client, servers, mebibytes) in [
        ("without the mesh", &stranger, &plain, short),
        ("in the mesh", &member, &meshed, long),
        ("out of the mesh", &member, &plain, short),
        ("into the mesh", &stranger, &meshed, short),
    ] {
        let began = std::time::Instant::now();
        for (language, program) in LANGUAGES {
            let outcomes = converse(client, program, servers, mebibytes).await;
            let outcomes = outcomes.with_context(|| format!("{setting}, {language} client"))?;
            faults.extend(judge(
                &format!("{setting}, {language} client"),
                language,
                &outcomes,
            ));
        }
        figure(format!(
            "five languages {setting}, bodies of {mebibytes} MiB: {} faults so far, {} s",
            faults.len(),
            began.elapsed().as_secs()
        ));
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    for (language, _) in LANGUAGES {
        let server = app(&meshed, language);
        for protocol in ["http", "grpc"] {
            let protocol = format!("request_protocol=\"{protocol}\"");
            seen(&server, "istio_requests_total", &protocol).await?;
        }
    }
    plain.delete().await?;
    meshed.delete().await
}

/// Starts each language's server and a pod for the clients.
async fn start(namespace: &Namespace) -> Result<App> {
    let mut apps = Vec::new();
    for (language, program) in LANGUAGES {
        let command: Vec<_> = program.iter().copied().chain(["serve"]).collect();
        apps.push(run(namespace, language, &command, &PORTS).await?);
    }
    let client = run(namespace, "client", &["sleep", "infinity"], &[]).await?;
    for app in &apps {
        app.ready(1).await?;
    }
    client.ready(1).await?;
    Ok(client)
}

/// Lets one language's client try everything on every server.
async fn converse(
    client: &App,
    program: &[&str],
    servers: &Namespace,
    mebibytes: u64,
) -> Result<Vec<Outcome>> {
    let servers = LANGUAGES.map(|(name, _)| format!("{name}={name}.{}", servers.name));
    let size = mebibytes.to_string();
    let mut words = program.to_vec();
    words.extend(["client", &size]);
    words.extend(servers.iter().map(String::as_str));
    let output = timeout(seconds(300 + 2 * mebibytes), shell(client, &words))
        .await
        .context("the client does not end")??;
    output
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}

/// Says what went well, a line for each server, and answers with what did not.
#[allow(clippy::print_stdout, reason = "the table of results")]
fn judge(client: &str, language: &str, outcomes: &[Outcome]) -> Vec<String> {
    let mut faults = Vec::new();
    for (server, _) in LANGUAGES {
        let mut well = Vec::new();
        for protocol in PROTOCOLS.into_iter().filter(|it| has(language, it)) {
            let outcome = outcomes
                .iter()
                .find(|outcome| outcome.server == server && outcome.protocol == protocol);
            match outcome.map(|outcome| outcome.fault.as_str()) {
                Some("") => well.push(protocol),
                Some(fault) => {
                    faults.push(format!("{client}, {server} server, {protocol}: {fault}"));
                }
                None => faults.push(format!("{client}, {server} server, {protocol}: not tried")),
            }
        }
        println!("{client}, {server} server: {}", well.join(" "));
    }
    faults
}

/// Java's HTTP client has no HTTP/2 without TLS but by an upgrade, for which it asks in `http1`.
fn has(language: &str, protocol: &str) -> bool {
    (language, protocol) != ("java", "http2")
}

#[tokio::test]
async fn databases_serve_their_own_clients_in_the_mesh_as_they_do_without_it() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let plain = mesh.cluster.namespace("poly-stores-plain", &[]).await?;
    let meshed = mesh.namespace("poly-stores-mesh").await?;
    let [stranger, member] = [start_stores(&plain).await?, start_stores(&meshed).await?];

    let mut faults = Vec::new();
    for (setting, client, servers) in [
        ("without the mesh", &stranger, &plain),
        ("in the mesh", &member, &meshed),
        ("out of the mesh", &member, &plain),
        ("into the mesh", &stranger, &meshed),
    ] {
        for (what, script, expected) in STORES {
            let script = script.replace("$NS", &servers.name);
            let got = timeout(seconds(60), shell(client, &["sh", "-c", &script])).await;
            let got = got.context("nothing after 60 s").and_then(|got| got);
            match got {
                Ok(text) if text.trim() == expected => {}
                other => faults.push(format!("{setting}, {what}: {other:?}, not {expected:?}")),
            }
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    for store in ["postgres", "redis"] {
        let opened = "istio_tcp_connections_opened_total";
        seen(&app(&meshed, store), opened, "request_protocol=\"tcp\"").await?;
    }
    plain.delete().await?;
    meshed.delete().await
}

/// What is asked of the databases: a name, a script, and what it must print.
const STORES: [(&str, &str, &str); 9] = [
    (
        "PostgreSQL in the clear",
        "psql 'postgresql://weft:secret@postgres.$NS/postgres?sslmode=disable' -Atc 'select 6 * 7'",
        "42",
    ),
    (
        "PostgreSQL with TLS of its own, asked for by SSLRequest",
        "psql 'postgresql://weft:secret@postgres.$NS/postgres?sslmode=require' -Atc \
         'select ssl from pg_stat_ssl where pid = pg_backend_pid()'",
        "t",
    ),
    (
        "PostgreSQL: a wrong password",
        "psql 'postgresql://weft:wrong@postgres.$NS/postgres' -Atc 'select 1' 2>/dev/null; echo $?",
        "2",
    ),
    (
        "PostgreSQL: a fault ends a statement, not the connection",
        "psql 'postgresql://weft:secret@postgres.$NS/postgres' -Atc 'select 1/0' -c 'select 2' 2>/dev/null || true",
        "2",
    ),
    (
        "PostgreSQL: a long answer",
        "psql 'postgresql://weft:secret@postgres.$NS/postgres' -Atc \
         \"select repeat('x', 999) from generate_series(1, 20000)\" | wc -c",
        "20000000",
    ),
    (
        "Redis: a short value",
        "redis-cli -h redis.$NS set greeting hello && redis-cli -h redis.$NS get greeting",
        "OK\nhello",
    ),
    (
        "Redis: a long value",
        "head -c 8000000 /dev/zero | redis-cli -h redis.$NS -x set long && redis-cli -h redis.$NS strlen long",
        "OK\n8000000",
    ),
    (
        "Redis: a client that waits for another",
        "redis-cli -h redis.$NS blpop queue 20 > /tmp/popped & \
         redis-cli -h redis.$NS rpush queue item && wait && cat /tmp/popped",
        "1\nqueue\nitem",
    ),
    (
        "Redis: ten connections with pipelines",
        "redis-benchmark -h redis.$NS -q -n 2000 -c 10 -P 4 -t set,get > /dev/null && echo done",
        "done",
    ),
];

const POSTGRES: &str = "set -e
cd /tmp
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -subj /CN=postgres 2>/dev/null
chmod 600 key.pem
echo secret > password
initdb -D data -U weft --no-locale -E UTF8 --auth=scram-sha-256 --pwfile=password
echo 'host all all all scram-sha-256' >> data/pg_hba.conf
exec postgres -D /tmp/data -k /tmp -c listen_addresses='*' -c ssl=on -c ssl_cert_file=/tmp/cert.pem -c ssl_key_file=/tmp/key.pem";

const REDIS: &str = "cd /tmp; exec redis-server --save '' --protected-mode no";

/// Starts the databases and a pod for the clients. Their ports' names tell no protocol, as is usual.
async fn start_stores(namespace: &Namespace) -> Result<App> {
    let postgres = ["sh", "-c", POSTGRES];
    let redis = ["sh", "-c", REDIS];
    let apps = [
        run(namespace, "postgres", &postgres, &[("postgres", 5432)]).await?,
        run(namespace, "redis", &redis, &[("db", 6379)]).await?,
        run(namespace, "client", &["sleep", "infinity"], &[]).await?,
    ];
    for app in &apps {
        app.ready(1).await?;
    }
    let [_, _, client] = apps;
    Ok(client)
}

/// Runs a program in a client's pod to its good end, and answers with what it printed.
async fn shell(client: &App, words: &[&str]) -> Result<String> {
    let place = [&client.namespace.name, &client.pod().await?, "app"];
    let output = exec(&client.namespace.cluster, place, words).await?;
    ensure!(output.fault.is_empty(), "{output:?}");
    Ok(output.stdout)
}

/// That a server's proxy counted exchanges with the proxies of its clients: else all that was said went past the mesh.
async fn seen(server: &App, metric: &str, label: &str) -> Result<()> {
    let metrics = admin(server, "/stats/prometheus").await?;
    let labels = [
        "reporter=\"destination\"",
        "connection_security_policy=\"mutual_tls\"",
        label,
    ];
    let counted = metrics
        .lines()
        .any(|line| line.starts_with(metric) && labels.iter().all(|label| line.contains(label)));
    ensure!(
        counted,
        "the proxy of {} has no {metric} with {labels:?}:\n{metrics}",
        server.name
    );
    Ok(())
}

/// Starts a Deployment and a Service of the image of five languages.
async fn run(
    namespace: &Namespace,
    name: &str,
    command: &[&str],
    ports: &[(&str, u16)],
) -> Result<App> {
    namespace
        .apply(&deployment(name, command, ports).to_string())
        .await?;
    if !ports.is_empty() {
        namespace.apply(&service(name, ports).to_string()).await?;
    }
    Ok(app(namespace, name))
}

fn app(namespace: &Namespace, name: &str) -> App {
    App {
        namespace: namespace.clone(),
        name: name.to_owned(),
    }
}

fn service(name: &str, ports: &[(&str, u16)]) -> Value {
    let ports: Vec<_> = ports
        .iter()
        .map(|(name, port)| json!({"name": name, "port": port}))
        .collect();
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports}})
}

/// A limit of memory that no body fits into which was not streamed; a user, for PostgreSQL does not run as root.
fn deployment(name: &str, command: &[&str], ports: &[(&str, u16)]) -> Value {
    let mut container = json!({
        "name": "app", "image": "localhost/weft-polyglot:dev", "imagePullPolicy": "IfNotPresent", "command": command,
        "resources": {"limits": {"memory": "512Mi"}}, "securityContext": {"runAsUser": 999, "runAsGroup": 999},
    });
    if let Some((_, port)) = ports.first() {
        container["readinessProbe"] = json!({"tcpSocket": {"port": port}, "periodSeconds": 1});
    }
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {
            "terminationGracePeriodSeconds": 1, "containers": [container]}},
    }})
}
