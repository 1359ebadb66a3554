package import Tracing

/// The position of a change or a message in a trace, as a W3C Trace Context.
package struct TraceContext: Sendable, Hashable {
    /// Version, trace, span and flags: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
    package let traceparent: String
    /// Vendor-specific data of tracing systems.
    package let tracestate: String?

    /// Creates a trace context.
    /// - Parameters:
    ///   - traceparent: Version, trace, span and flags; for any other form the result is nil.
    ///   - tracestate: Vendor-specific data; dropped if it is longer than 512 characters or contains other than
    ///   printable ASCII.
    package init?(traceparent: String, tracestate: String? = nil) {
        guard Self.isWellFormed(traceparent) else { return nil }
        self.traceparent = traceparent
        self.tracestate = tracestate.flatMap { Self.isSendable($0) ? $0 : nil }
    }

    /// Drops values that the standard doesn't allow: it permits at most 512 printable ASCII characters.
    private static func isSendable(_ state: String) -> Bool {
        let bytes = state.utf8
        return !bytes.isEmpty && bytes.count <= 512 && bytes.allSatisfy { (0x20...0x7E).contains($0) }
    }

    /// Checks the form common to all versions: two, 32, 16 and two hexadecimal digits, with neither id all zeros.
    private static func isWellFormed(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 55, bytes[2] == UInt8(ascii: "-"), bytes[35] == UInt8(ascii: "-"),
            bytes[52] == UInt8(ascii: "-")
        else { return false }
        let fields = [bytes[0..<2], bytes[3..<35], bytes[36..<52], bytes[53..<55]]
        let areDigits = fields.joined().allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
        let hasIDs = [fields[1], fields[2]].allSatisfy { !$0.allSatisfy { $0 == UInt8(ascii: "0") } }
        return areDigits && hasIDs && !bytes.starts(with: Array("ff".utf8))
    }

    /// The message headers that contain it.
    package var headers: [MessageHeader] {
        [MessageHeader(HeaderName.traceParent, Array(traceparent.utf8))]
            + (tracestate.map { [MessageHeader(HeaderName.traceState, Array($0.utf8))] } ?? [])
    }
}

extension TraceContext {
    /// Extracts the trace context from a service context.
    /// - Parameters:
    ///   - context: The service context; the task's by default.
    ///   - instrument: The instrument; the process's by default.
    /// - Returns: The trace context; nil if there is none or if the instrument doesn't write W3C Trace Context.
    package static func current(
        _ context: ServiceContext? = .current,
        instrument: any Instrument = InstrumentationSystem.instrument
    ) -> TraceContext? {
        guard let context else { return nil }
        var carrier = TraceContextCarrier()
        instrument.inject(context, into: &carrier, using: TraceContextCarrier.Coding())
        return carrier[HeaderName.traceParent]
            .flatMap { TraceContext(traceparent: $0, tracestate: carrier[HeaderName.traceState]) }
    }

    /// Creates a service context that continues this trace context.
    /// - Parameter instrument: The instrument that reads it; the process's by default.
    package func serviceContext(instrument: any Instrument = InstrumentationSystem.instrument) -> ServiceContext {
        var carrier = TraceContextCarrier()
        carrier[HeaderName.traceParent] = traceparent
        carrier[HeaderName.traceState] = tracestate
        var context = ServiceContext.topLevel
        instrument.extract(carrier, into: &context, using: TraceContextCarrier.Coding())
        return context
    }
}

/// A carrier for instruments: fields by their lower-case names.
private struct TraceContextCarrier: Sendable {
    private var values: [String: String] = [:]

    subscript(name: String) -> String? {
        get { values[name] }
        set { values[name] = newValue }
    }

    struct Coding: Injector, Extractor {
        func inject(_ value: String, forKey key: String, into carrier: inout TraceContextCarrier) {
            carrier[key.lowercased()] = value
        }

        func extract(key: String, from carrier: TraceContextCarrier) -> String? { carrier[key.lowercased()] }
    }
}

extension Database {
    /// Runs a writing transaction whose changes belong to the task's trace.
    ///
    ///     try await database.tracedTransaction { try $0.run("UPDATE rentals SET name = \(name) WHERE id = \(id)") }
    ///
    /// The messages of its changes propagate the trace to their consumers. Without a current trace it is an ordinary
    /// transaction.
    /// - Returns: What the body returns.
    /// - Throws: As ``transaction(_:_:)`` and ``Transaction/setTraceContext(traceparent:tracestate:)``.
    public func tracedTransaction<T: Sendable>(
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        let context = TraceContext.current()
        return try await transaction(.write) { transaction in
            if let context {
                try transaction.setTraceContext(traceparent: context.traceparent, tracestate: context.tracestate)
            }
            return try body(&transaction)
        }
    }
}
