import Dionysus
import DionysusHTTP
import Foundation

/// A request's path and query, without escapes.
struct RegistryQuery {
    let path: String
    /// The path's parts.
    let parts: [String]
    private(set) var values: [String: String]

    init(_ target: String) {
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(halves.first ?? "/")
        parts = path.split(separator: "/").map { $0.removingPercentEncoding ?? String($0) }
        var values: [String: String] = [:]
        for pair in halves.count > 1 ? halves[1].split(separator: "&") : [] {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[String(sides[0])] = sides.count > 1 ? sides[1].removingPercentEncoding ?? "" : ""
        }
        self.values = values
    }

    func isSet(_ name: String) -> Bool { values[name]?.lowercased() == "true" }

    mutating func include(_ name: String) { values[name] = "true" }
}

/// What the registry says.
struct RegistryAnswer: Error {
    var status: Int
    var body: [UInt8]

    init(status: Int = 200, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    init(_ document: JSON) { self.init(body: document.bytes) }

    init(_ status: Int, _ code: Int, _ message: String) {
        self.init(
            status: status,
            body: JSON.object(["error_code": .integer(Int64(code)), "message": .string(message)]).bytes
        )
    }

    var response: HTTPResponse { HTTPResponse(status: status, body: body) }
}
