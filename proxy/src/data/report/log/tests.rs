use super::*;
use crate::data::http::fields::Fields;
use crate::data::http::head::Request;
use crate::data::report::{Flag, Flags};
use crate::data::test_conn;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Istio's default text format.
const ISTIO: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% \
    %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% \
    %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% \
    %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \
    \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" \
    %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% \
    %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

fn render(format: &LogFormat, fields: &[(&str, &str)]) -> String {
    let conn = test_conn::inbound("10.0.0.1:4000", "10.0.0.2:9080");
    let request = Request {
        authority: "reviews:9080".into(),
        target: "/reviews/1?x=y".into(),
        fields: fields.iter().copied().collect(),
        ..Request::default()
    };
    let response: Fields = [("x-envoy-upstream-service-time", "3")]
        .into_iter()
        .collect();
    let http = HttpRecord {
        request: &request,
        code: 503,
        response: Some(&response),
        grpc_status: None,
        request_duration: None,
        response_duration: Some(Duration::from_millis(5)),
    };
    let record = Record {
        conn: &conn,
        http: Some(http),
        upstream: Some(UpstreamRecord {
            cluster: "inbound|9080||",
            host: Some("10.0.0.2:9080".parse().unwrap()),
            local: None,
            peer: None,
            failure: "",
        }),
        start: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        duration: Duration::from_millis(7),
        flags: Flags::from(Flag::UpstreamConnectionFailure),
        route: "default",
        bytes_received: 10,
        bytes_sent: 20,
        code_details: "",
        termination: "",
    };
    Templates::default().line(format, &record)
}

#[test]
fn istios_default_format_gives_istios_line() {
    let line = render(&LogFormat::Text(ISTIO.into()), &[("user-agent", "curl")]);
    assert_eq!(
        line,
        "[2023-11-14T22:13:20.123Z] \"GET /reviews/1?x=y HTTP/1.1\" 503 UF - - \"-\" 10 20 7 3 \
         \"-\" \"curl\" \"-\" \"reviews:9080\" \"10.0.0.2:9080\" inbound|9080|| - 10.0.0.2:9080 \
         10.0.0.1:4000 - default\n"
    );
}

#[test]
fn json_keeps_numbers_and_writes_null_for_what_is_absent() {
    let fields = [
        ("response_code", "%RESPONSE_CODE%"),
        ("host", "%UPSTREAM_HOST%"),
        ("sni", "%REQUESTED_SERVER_NAME%"),
        ("both", "%PROTOCOL% %RESPONSE_CODE%"),
    ];
    let fields: Arc<[_]> = fields
        .iter()
        .map(|(k, v)| (Arc::from(*k), Arc::from(*v)))
        .collect();
    assert_eq!(
        render(&LogFormat::Json(fields), &[]),
        "{\"response_code\":503,\"host\":\"10.0.0.2:9080\",\"sni\":null,\"both\":\"HTTP/1.1 503\"}\n"
    );
}

#[test]
#[rustfmt::skip]
fn commands_are_compiled_or_refused() {
    let table = [
        ("100%%",                      Ok("100%\n")),
        ("%REQ(X-A?X-B)%",             Ok("bee\n")),
        ("%REQ(X-B):2%",               Ok("be\n")),
        ("%START_TIME(%Y/%m/%d)%",     Ok("2023/11/14\n")),
        ("%RESPONSE_TX_DURATION%",     Ok("2\n")),
        ("%DYNAMIC_METADATA(a:b)%",    Ok("-\n")),
        ("%NO_SUCH%",                  Err(BadTemplate::Unknown("NO_SUCH".into()))),
        ("half %REQ(X",                Err(BadTemplate::Open("half %REQ(X".into()))),
    ];
    for (text, expected) in table {
        let found = Template::parse(text).map(|_| render(&LogFormat::Text(text.into()), &[("x-b", "bee")]));
        assert_eq!(found, expected.map(str::to_owned), "{text}");
    }
}

#[test]
fn a_client_cannot_forge_a_line() {
    let line = render(
        &LogFormat::Text("%REQ(X-A)%".into()),
        &[("x-a", "a\u{1b}\u{85}b")],
    );
    assert_eq!(line, "a??b\n");
}

#[test]
fn a_closed_log_holds_every_line_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let path: Arc<str> = directory.path().join("access.log").to_str().unwrap().into();
    let logs = Logs::default();
    logs.write(&path, "one\n".into());
    logs.write(&path, "two\n".into());
    logs.close();
    assert_eq!(std::fs::read_to_string(&*path).unwrap(), "one\ntwo\n");
    assert_eq!(logs.dropped(), 0);
}

#[test]
fn a_log_that_cannot_be_opened_counts_its_lines() {
    let logs = Logs::default();
    logs.write(&"/no/such/directory/log".into(), "x\n".into());
    assert_eq!(logs.dropped(), 1);
}
