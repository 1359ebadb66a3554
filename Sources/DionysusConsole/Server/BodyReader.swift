import Dionysus
import HTTPTypes
import Hummingbird
import NIOCore

/// Reads a request's body: a form or a JSON object.
struct BodyReader {
    /// How long a body may take.
    private static let patience = Duration.seconds(15)

    /// The most bytes of a body.
    let maxBytes: Int

    /// Reads the values in a body.
    /// - Throws: ``Gate/Refusal`` for a body that is too large, takes too long or is of another type; `DionysusError`
    ///   with code `malformed` for one that isn't what it says it is.
    func values(of request: Request) async throws -> Values {
        let bytes = try await bytes(of: request)
        guard !bytes.isEmpty else { return Values() }
        let type = request.headers[.contentType] ?? ""
        if type.hasPrefix("application/json") {
            guard let values = (try? JSON(parsing: bytes)).flatMap(Values.init(json:)) else {
                throw DionysusError(.malformed, "the body is not a JSON object")
            }
            return values
        }
        guard type.isEmpty || type.hasPrefix("application/x-www-form-urlencoded") else {
            throw Gate.Refusal(status: .unsupportedMediaType, reason: "the body must be JSON or a form")
        }
        guard let text = String(validating: bytes, as: UTF8.self), let values = Values(encoded: text) else {
            throw DionysusError(.malformed, "the body is not a form")
        }
        return values
    }

    private func bytes(of request: Request) async throws -> [UInt8] {
        let tooLarge = Gate.Refusal(status: .contentTooLarge, reason: "the body has more than \(maxBytes) bytes")
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > maxBytes { throw tooLarge }
        // Who sends nothing at all is disconnected for that.
        let deadline = ContinuousClock.now + Self.patience
        var bytes: [UInt8] = []
        for try await chunk in request.body {
            guard ContinuousClock.now < deadline else {
                throw Gate.Refusal(status: .requestTimeout, reason: "the body takes too long")
            }
            guard bytes.count + chunk.readableBytes <= maxBytes else { throw tooLarge }
            bytes += chunk.readableBytesView
        }
        return bytes
    }
}
