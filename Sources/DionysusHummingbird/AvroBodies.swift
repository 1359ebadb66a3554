import Dionysus
public import DionysusSchemas
import HTTPTypes
public import Hummingbird
import NIOCore

/// Reads and writes HTTP bodies in Avro's binary encoding, for the handlers of an application's Hummingbird router.
///
///     let widgets = AvroBodies(request: widgetSchema, response: savedSchema)
///     router.post("widgets") { request, context in
///         let widget = try await widgets.decode(Widget.self, from: request, context: context)
///         return try widgets.response(try await save(widget), to: request, status: .created)
///     }
///
/// A body is one datum of the schema, without its schema or fingerprint, of the content type `avro/binary`. Each route has
/// its own value, so that nothing is shared between the schemas of routes. A request that can't be read is answered with
/// 400, 406, 413 or 415 and the reason, which names the field and shows no values.
public struct AvroBodies: Sendable {
    /// The content type of bodies.
    package static let contentType = "avro/binary"

    private let request: AvroSchema?
    private let response: AvroSchema?

    /// Creates the bodies of a route.
    /// - Parameters:
    ///   - request: The schema of requests, for routes that read one.
    ///   - response: The schema of responses, for routes that write one.
    public init(request: AvroSchema? = nil, response: AvroSchema? = nil) {
        self.request = request
        self.response = response
    }

    /// Reads a request's body.
    /// - Parameters:
    ///   - type: What the body is decoded as; properties are found by their coding keys.
    ///   - request: The request.
    ///   - context: Its context, which limits the body's size.
    /// - Returns: The value.
    /// - Throws: `HTTPError`: 415 for another content type, 413 for a body that is too large, 400 for one that is no datum of
    ///   the schema or doesn't fit the type; ``/Dionysus/DionysusError`` with code `declaration` without a schema.
    public func decode<Value: Decodable>(
        _ type: Value.Type,
        from request: Request,
        context: some RequestContext
    ) async throws -> Value {
        guard let schema = self.request else { throw Self.noSchema("requests") }
        try requireContentType(of: request)
        let buffer = try await body(of: request, upTo: context.maxUploadSize)
        do {
            return try AvroDecoder(type, from: schema).decode(buffer.readableBytesView)
        } catch let error as DionysusError where [.malformed, .typeMismatch].contains(error.code) {
            throw HTTPError(.badRequest, message: error.message)
        } catch is DecodingError {
            // The error may quote the body.
            throw HTTPError(.badRequest, message: "the body is not what the route reads")
        }
    }

    /// Makes a response.
    /// - Parameters:
    ///   - value: What its body holds.
    ///   - request: The request, which may ask for other content types.
    ///   - status: The status.
    /// - Returns: The response.
    /// - Throws: `HTTPError`: 406 if the request doesn't accept Avro. ``/Dionysus/DionysusError``: `declaration` without a
    ///   schema, `malformed` for a value that doesn't fit it.
    public func response(
        _ value: some Encodable,
        to request: Request,
        status: HTTPResponse.Status = .ok
    ) throws -> Response {
        guard let schema = response else { throw Self.noSchema("responses") }
        guard accepts(request) else {
            throw HTTPError(
                .notAcceptable,
                message: "the answer is \(Self.contentType), which the request does not accept"
            )
        }
        let bytes = try AvroEncoder(schema: schema).encode(value)
        return Response(
            status: status,
            headers: [.contentType: Self.contentType],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    // MARK: Headers

    private func requireContentType(of request: Request) throws {
        let given = request.headers[.contentType].map(Self.mediaType)
        guard given != Self.contentType else { return }
        throw HTTPError(
            .unsupportedMediaType,
            headers: [.accept: Self.contentType],
            message: "the body has to be \(Self.contentType)"
        )
    }

    /// Whether the request takes Avro: every request does that doesn't say what it takes.
    private func accepts(_ request: Request) -> Bool {
        guard let accept = request.headers[.accept] else { return true }
        let types = accept.split(separator: ",").map { Self.mediaType(String($0)) }
        return types.contains { ["*/*", "avro/*", Self.contentType].contains($0) }
    }

    /// A media type without its parameters.
    private static func mediaType(_ text: String) -> String {
        let type = text.prefix { $0 != ";" }.filter { !$0.isWhitespace }
        return type.lowercased()
    }

    private func body(of request: Request, upTo limit: Int) async throws -> ByteBuffer {
        do {
            return try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw HTTPError(.contentTooLarge, message: "the body has more than \(limit) bytes")
        }
    }

    private static func noSchema(_ bodies: String) -> DionysusError {
        DionysusError(
            .declaration,
            "the route has no Avro schema for \(bodies)",
            advice: "name one: AvroBodies(request: …, response: …)"
        )
    }
}
