import Dionysus
import DionysusHTTP
import DionysusHTTPClient
import DionysusHummingbird
import DionysusSchemas
import Hummingbird
import Logging
import TestSupport
import Testing

/// Avro in HTTP bodies, over real connections.
@Suite
struct AvroBodyTests {
    private struct Widget: Codable {
        var id: Int
        var name: String
    }

    private struct Saved: Codable, Equatable {
        var id: Int
        var price: ExactDecimal?
    }

    private static let widgets = #"""
        {"type":"record","name":"Widget","fields":[{"name":"id","type":"long"},{"name":"name","type":"string"}]}
        """#
    private static let saved = #"""
        {"type":"record","name":"Saved","fields":[{"name":"id","type":"long"},
         {"name":"price","type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}],"default":null}]}
        """#

    /// A server with two routes of different schemas.
    private static func run(_ body: (String) async throws -> Void) async throws {
        let (widgets, saved) = (try AvroSchema(parsing: widgets), try AvroSchema(parsing: saved))
        let router = Router()
        let creating = AvroBodies(request: widgets, response: saved)
        let reading = AvroBodies(response: widgets)
        router.post("widgets") { request, context in
            let widget = try await creating.decode(Widget.self, from: request, context: context)
            return try creating.response(
                Saved(id: widget.id, price: ExactDecimal("1.50")),
                to: request,
                status: .created
            )
        }
        router.get("widgets/1") { request, _ in try reading.response(Widget(id: 1, name: "Gear ☃"), to: request) }
        router.post("undeclared") { request, context in
            let widget = try await reading.decode(Widget.self, from: request, context: context)
            return "\(widget.id)"
        }
        try await whileServing { onPort in
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            return Application(
                router: router,
                configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
                onServerRunning: { channel in onPort(channel.localAddress?.port ?? 0) },
                logger: logger
            )
        } _: {
            try await body($0)
        }
    }

    private static func send(
        _ method: String,
        _ url: String,
        headers: [String: String] = [:],
        body: [UInt8]? = nil
    ) async throws -> DionysusHTTP.HTTPResponse {
        try await NetworkTransport().send(DionysusHTTP.HTTPRequest(method, url, headers: headers, body: body))
    }

    @Test("a request is decoded, and the response encoded, each by the route's own schema")
    func bothWays() async throws {
        try await Self.run { url in
            let body = try AvroEncoder(schema: AvroSchema(parsing: Self.widgets)).encode(Widget(id: 7, name: "Gear"))
            let headers = ["content-type": "Avro/Binary; charset=binary", "accept": "text/html, avro/*;q=0.5"]
            let created = try await Self.send("POST", url + "/widgets", headers: headers, body: body)
            #expect(created.status == 201 && created.headers["content-type"] == "avro/binary")
            let saved = try AvroDecoder(Saved.self, from: AvroSchema(parsing: Self.saved)).decode(created.body)
            #expect(saved == Saved(id: 7, price: ExactDecimal("1.50")))
            let read = try await Self.send("GET", url + "/widgets/1")
            let widget = try AvroDecoder(Widget.self, from: AvroSchema(parsing: Self.widgets)).decode(read.body)
            #expect(read.status == 200 && widget.name == "Gear ☃")
        }
    }

    @Test("the response to a request that can't be read says what is wrong")
    func errors() async throws {
        try await Self.run { url in
            let avro = ["content-type": "avro/binary"]
            let cases: [([String: String], [UInt8]?, Int, String)] = [
                (["content-type": "application/json"], Array("{}".utf8), 415, "avro/binary"),
                ([:], [2, 2, 65], 415, "avro/binary"), (avro, [2], 400, "Widget"), (avro, [], 400, "Widget"),
                (avro, [2, 2, 65, 0], 400, "Widget"), (avro, [2, 2, 255], 400, "name"),
                (avro, [2, 254, 255, 255, 255, 255, 255, 255, 255, 255, 1], 400, "name"),
                (avro, [UInt8](repeating: 0, count: 3 << 20), 413, "bytes"),
                (avro.merging(["accept": "application/json"]) { $1 }, [2, 2, 65], 406, "avro/binary"),
            ]
            for (headers, body, status, reason) in cases {
                let answer = try await Self.send("POST", url + "/widgets", headers: headers, body: body)
                // JSON may write a slash with a backslash.
                let text = String(decoding: answer.body, as: UTF8.self).replacing(#"\/"#, with: "/")
                #expect(answer.status == status && text.contains(reason), "\(status): \(answer.status) \(text)")
            }
            // A route without a schema is the application's fault.
            let undeclared = try await Self.send("POST", url + "/undeclared", headers: avro, body: [2, 2, 65])
            #expect(undeclared.status == 500)
        }
    }
}
