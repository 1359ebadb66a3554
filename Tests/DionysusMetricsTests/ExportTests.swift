import CoreMetrics
import DionysusMetrics
import Logging
import ServiceLifecycle
import Testing
import Tracing

/// What is sent over real connections.
struct ExportTests {
    /// Settings that send everything to a collector, and nothing before the end unless it is asked for.
    private func settings(_ address: String) -> TelemetrySettings {
        var settings = TelemetrySettings(serviceName: "bookings")
        settings.metrics = OTLPEndpoint(url: address + "/v1/metrics")
        settings.traces = OTLPEndpoint(url: address + "/v1/traces")
        settings.logs = OTLPEndpoint(url: address + "/v1/logs")
        settings.metricInterval = .seconds(3_600)
        settings.spanQueue.delay = .seconds(3_600)
        settings.logQueue.delay = .seconds(3_600)
        settings.retries.firstPause = .milliseconds(1)
        settings.shutdownTimeout = .seconds(60)
        return settings
    }

    private func quiet() -> Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    private func logger(_ telemetry: Telemetry) throws -> Logger {
        let handler = try telemetry.logHandler(label: "bookings").unwrapped()
        return Logger(label: "bookings") { _ in handler }
    }

    /// Sends what a body has recorded.
    private func sending(
        _ settings: TelemetrySettings,
        _ body: (Telemetry) throws -> Void
    ) async throws -> Telemetry {
        let telemetry = try Telemetry(settings, logger: quiet())
        try body(telemetry)
        telemetry.shutDown()
        await telemetry.run()
        return telemetry
    }

    private func spans(_ count: Int, _ telemetry: Telemetry) throws {
        let tracer = try telemetry.tracer.unwrapped()
        for number in 0..<count { tracer.startSpan("work \(number)", context: .topLevel).end() }
    }

    private func dropped(_ telemetry: Telemetry, _ signal: String, _ reason: String) -> String? {
        let start = #"dionysus_telemetry_dropped_total{reason="\#(reason)",signal="\#(signal)"} "#
        return telemetry.metrics.exposition().body.split(separator: "\n").first { $0.hasPrefix(start) }
            .map { String($0.dropFirst(start.count)) }
    }

    private func sent(_ telemetry: Telemetry, _ signal: String) -> String? {
        let start = #"dionysus_telemetry_sent_total{signal="\#(signal)"} "#
        return telemetry.metrics.exposition().body.split(separator: "\n").first { $0.hasPrefix(start) }
            .map { String($0.dropFirst(start.count)) }
    }

    @Test func metricsArrive() async throws {
        let collector = Collector()
        try await collector.whileListening { address in
            var settings = settings(address)
            settings.traces = nil
            settings.logs = nil
            settings.bounds.metrics["work"] = [0.1, 1]
            _ = try await sending(settings) { telemetry in
                Counter(label: "orders", dimensions: [("of", "")], factory: telemetry.metrics).increment(by: 3)
                Gauge(label: "dionysus.outbox.oldest.age", factory: telemetry.metrics).record(-1.5)
                let timer = Timer(label: "work", factory: telemetry.metrics)
                timer.recordNanoseconds(50_000_000)
                timer.recordNanoseconds(3_000_000_000)
            }
        }
        #expect(collector.deliveries.count == 1)
        let delivery = try #require(collector.deliveries.first)
        #expect(delivery.path == "/v1/metrics")
        #expect(delivery.headers["content-type"] == "application/x-protobuf")
        let request = try #require(ProtobufMessage(delivery.body))
        #expect(request.all(1, 1).first?.attributes(1)["service.name"] == "bookings")
        let metrics = request.all(1, 2, 2)
        func metric(_ name: String) throws -> ProtobufMessage { try #require(metrics.first { $0.text(1) == name }) }
        let orders = try #require(metric("orders").all(7).first)
        #expect(orders.number(2) == 2 && orders.number(3) == 1)
        #expect(orders.all(1).first?.number(6) == 3)
        #expect(orders.all(1).first?.attributes(7) == ["of": ""])
        let age = try metric("dionysus.outbox.oldest.age")
        #expect(age.text(3) == "s" && age.all(5, 1).first?.double(4) == -1.5)
        let work = try #require(metric("work").all(9).first)
        let point = try #require(work.all(1).first)
        #expect(work.number(2) == 2)
        #expect(point.number(4) == 2 && point.double(5) == 3.05)
        #expect(point.packed(6) == [1, 0, 1])
        #expect(point.packed(7).map { Double(bitPattern: $0) } == [0.1, 1])
        let (start, time) = (try #require(point.number(2)), try #require(point.number(3)))
        #expect(start > 1_700_000_000_000_000_000 && start <= time)
    }

    @Test func spansArrive() async throws {
        let collector = Collector()
        let place = try await collector.whileListening { address in
            var place: SpanContext?
            _ = try await sending(settings(address)) { telemetry in
                let tracer = try telemetry.tracer.unwrapped()
                let parent = tracer.startSpan("parent", context: .topLevel)
                let span = tracer.startSpan("send", context: parent.context, ofKind: .producer)
                span.attributes["text"] = "a"
                span.attributes["count"] = 3
                span.attributes["empty"] = ""
                span.addLink(SpanLink(context: parent.context, attributes: [:]))
                span.recordError(CancellationError())
                span.setStatus(SpanStatus(code: .error, message: "why"))
                span.end()
                span.end()
                place = parent.context.spanContext
            }
            return place
        }
        let delivery = try #require(collector.deliveries.first { $0.path == "/v1/traces" })
        let spans = try #require(ProtobufMessage(delivery.body)).all(1, 2, 2)
        #expect(spans.count == 1)
        let span = try #require(spans.first)
        #expect(span.text(5) == "send" && span.number(6) == 4)
        #expect(hexadecimal(span.bytes(1)) == place?.traceID && hexadecimal(span.bytes(4)) == place?.spanID)
        #expect(span.bytes(2)?.count == 8)
        #expect(span.attributes(9) == ["text": "a", "empty": ""])
        #expect(span.all(9).first { $0.text(1) == "count" }?.all(2).first?.number(3) == 3)
        #expect(span.all(11).first?.text(2) == "exception")
        #expect(span.all(11).first?.attributes(3) == ["exception.type": "CancellationError"])
        #expect(hexadecimal(span.all(13).first?.bytes(2)) == place?.spanID)
        #expect(span.all(15).first?.text(2) == "why" && span.all(15).first?.number(3) == 2)
        #expect(try #require(span.number(7)) <= #require(span.number(8)))
    }

    @Test func spansKeepToTheirLimits() async throws {
        let collector = Collector()
        try await collector.whileListening { address in
            var settings = settings(address)
            settings.spanLimits.attributes = 1
            settings.spanLimits.events = 1
            settings.spanLimits.links = 1
            settings.spanLimits.valueLength = 3
            _ = try await sending(settings) { telemetry in
                let span = try telemetry.tracer.unwrapped().startSpan("work", context: .topLevel)
                span.attributes = ["a": "12345", "b": "12345"]
                for _ in 0..<3 {
                    span.addEvent("e")
                    span.addLink(SpanLink(context: span.context, attributes: [:]))
                }
                span.end()
            }
        }
        let delivery = try #require(collector.deliveries.first { $0.path == "/v1/traces" })
        let span = try #require(ProtobufMessage(delivery.body)?.all(1, 2, 2).first)
        #expect(Array(span.attributes(9).values) == ["123"] && span.number(10) == 1)
        #expect(span.all(11).count == 1 && span.number(12) == 2)
        #expect(span.all(13).count == 1 && span.number(14) == 2)
    }

    @Test func logMessagesArriveWithTheirSpan() async throws {
        let collector = Collector()
        let place = try await collector.whileListening { address in
            var place: SpanContext?
            _ = try await sending(settings(address)) { telemetry in
                let logger = try logger(telemetry)
                let span = try telemetry.tracer.unwrapped().startSpan("work", context: .topLevel)
                logger.warning("late", metadata: ["topic": "v3"])
                ServiceContext.withValue(span.context) { logger.error("gone") }
                logger.debug("unseen")
                place = span.context.spanContext
            }
            return place
        }
        let delivery = try #require(collector.deliveries.first { $0.path == "/v1/logs" })
        let scopes = try #require(ProtobufMessage(delivery.body)).all(1, 2)
        #expect(scopes.count == 1 && scopes.first?.all(1).first?.text(1) == "bookings")
        let logs = scopes.flatMap { $0.all(2) }
        #expect(logs.compactMap { $0.all(5).first?.text(1) } == ["late", "gone"])
        #expect(logs.compactMap { $0.number(2) } == [13, 17])
        #expect(logs.first?.attributes(6)["topic"] == "v3")
        #expect(logs.first?.bytes(9) == nil)
        #expect(
            hexadecimal(logs.last?.bytes(9)) == place?.traceID && hexadecimal(logs.last?.bytes(10)) == place?.spanID
        )
    }

    @Test func whatIsRefusedForNowIsSentAgain() async throws {
        let busy = [
            Collector.Answer(status: 503), .init(status: 429, retryAfter: "0"), .init(status: 502),
            .init(status: 504),
        ]
        let collector = Collector(busy)
        let telemetry = try await collector.whileListening { address in
            var settings = settings(address)
            settings.metrics = nil
            return try await sending(settings) { try spans(2, $0) }
        }
        #expect(collector.deliveries.count == 5)
        #expect(Set(collector.deliveries.map(\.body)).count == 1)
        #expect(sent(telemetry, "traces") == "2")
    }

    @Test(arguments: [400, 401, 404, 413, 500, 302])
    func whatIsRefusedForGoodIsNotSentAgain(_ status: Int) async throws {
        let collector = Collector([.init(status: status)])
        let telemetry = try await collector.whileListening { address in
            var settings = settings(address)
            settings.metrics = nil
            return try await sending(settings) { try spans(2, $0) }
        }
        #expect(collector.deliveries.count == 1)
        #expect(dropped(telemetry, "traces", "rejected") == "2")
        #expect(sent(telemetry, "traces") == "0")
    }

    @Test func whatTheCollectorHasNotTakenIsCountedAndNotSentAgain() async throws {
        // partial_success { rejected_spans: 3, error_message: "full" }
        let collector = Collector([.init(body: [0x0A, 0x08, 0x08, 0x03, 0x12, 0x04] + Array("full".utf8))])
        let telemetry = try await collector.whileListening { address in
            var settings = settings(address)
            settings.metrics = nil
            return try await sending(settings) { try spans(5, $0) }
        }
        #expect(collector.deliveries.count == 1)
        #expect(sent(telemetry, "traces") == "2")
        #expect(dropped(telemetry, "traces", "rejected") == "3")
    }

    @Test(
        arguments: [[0xFF], [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0x0A, 0x02, 0x08], Array("<html>".utf8)] as [[UInt8]]
    )
    func anAnswerThatIsNoneIsASuccess(_ body: [UInt8]) async throws {
        let collector = Collector([.init(body: body)])
        let telemetry = try await collector.whileListening { address in
            var settings = settings(address)
            settings.metrics = nil
            return try await sending(settings) { try spans(1, $0) }
        }
        #expect(sent(telemetry, "traces") == "1")
    }

    @Test func batchesAreBounded() async throws {
        let collector = Collector()
        try await collector.whileListening { address in
            var settings = settings(address)
            settings.metrics = nil
            settings.spanQueue.batchSize = 10
            _ = try await sending(settings) { try spans(25, $0) }
        }
        let sizes = collector.deliveries.compactMap { ProtobufMessage($0.body)?.all(1, 2, 2).count }
        #expect(sizes == [10, 10, 5])
    }

    @Test func aFullBatchDoesNotWait() async throws {
        let collector = Collector()
        try await collector.whileListening { address in
            var settings = settings(address)
            settings.metrics = nil
            settings.spanQueue.batchSize = 10
            let telemetry = try Telemetry(settings, logger: quiet())
            async let running: Void = telemetry.run()
            try spans(10, telemetry)
            await collector.received(1)
            telemetry.shutDown()
            await running
        }
        #expect(ProtobufMessage(collector.deliveries[0].body)?.all(1, 2, 2).count == 10)
    }

    @Test func metricsAreSentOverAndOver() async throws {
        let collector = Collector()
        try await collector.whileListening { address in
            var settings = settings(address)
            settings.metricInterval = .milliseconds(5)
            let telemetry = try Telemetry(settings, logger: quiet())
            async let running: Void = telemetry.run()
            Counter(label: "orders", factory: telemetry.metrics).increment()
            await collector.received(3)
            telemetry.shutDown()
            await running
        }
        #expect(collector.deliveries.allSatisfy { $0.path == "/v1/metrics" })
    }

    @Test func whatFindsNoRoomIsCounted() async throws {
        var settings = settings("http://127.0.0.1:1")
        settings.spanQueue.capacity = 3
        settings.spanQueue.batchSize = 3
        settings.logQueue.capacity = 2
        let telemetry = try Telemetry(settings, logger: quiet())
        try spans(5, telemetry)
        let logger = try logger(telemetry)
        for _ in 0..<3 { logger.error("full") }
        #expect(dropped(telemetry, "traces", "queue_full") == "2")
        #expect(dropped(telemetry, "logs", "queue_full") == "1")
    }

    @Test func whereNobodyListensTheEndComesAndWhatWasLostIsCounted() async throws {
        var settings = settings("http://127.0.0.1:1")
        settings.retries.limit = .milliseconds(20)
        let telemetry = try await sending(settings) { try spans(3, $0) }
        #expect(dropped(telemetry, "traces", "unreachable") == "3")
        #expect(dropped(telemetry, "metrics", "unreachable") == "1")
    }

    @Test func theEndWaitsNoLongerThanItMay() async throws {
        let collector = Collector([.init(isSilent: true), .init(isSilent: true)])
        let telemetry = try await collector.whileListening { address in
            var settings = settings(address)
            settings.metrics = nil
            settings.spanQueue.batchSize = 2
            settings.shutdownTimeout = .milliseconds(50)
            settings.traces?.timeout = .seconds(3_600)
            return try await sending(settings) { try spans(5, $0) }
        }
        #expect(dropped(telemetry, "traces", "unreachable") == "5")
    }

    @Test func anAnswerThatDoesNotComeIsNotWaitedForForever() async throws {
        let collector = Collector([.init(isSilent: true)])
        let telemetry = try await collector.whileListening { address in
            var settings = settings(address)
            settings.metrics = nil
            // Long enough for the answer that does come, on a busy machine.
            settings.traces?.timeout = .milliseconds(500)
            return try await sending(settings) { try spans(1, $0) }
        }
        #expect(collector.deliveries.count >= 2)
        #expect(sent(telemetry, "traces") == "1")
    }

    @Test func aServiceGroupEndsItAfterTheServicesThatRecord() async throws {
        struct Recording: Service {
            let telemetry: Telemetry
            let started: AsyncStream<Void>.Continuation
            func run() async throws {
                started.finish()
                try await gracefulShutdown()
                telemetry.tracer?.startSpan("last words", context: .topLevel).end()
            }
        }
        let collector = Collector()
        try await collector.whileListening { address in
            var settings = settings(address)
            settings.metrics = nil
            let telemetry = try Telemetry(settings, logger: quiet())
            let (started, start) = AsyncStream<Void>.makeStream()
            let group = ServiceGroup(
                services: [telemetry, Recording(telemetry: telemetry, started: start)],
                logger: quiet()
            )
            async let running: Void = group.run()
            for await _ in started {}
            await group.triggerGracefulShutdown()
            try await running
        }
        let names = collector.deliveries.flatMap { ProtobufMessage($0.body)?.all(1, 2, 2) ?? [] }.map { $0.text(5) }
        #expect(names == ["last words"])
    }

    @Test func headersAndCompressionAreTheEndpoints() async throws {
        let collector = Collector()
        try await collector.whileListening { address in
            var settings = settings(address)
            settings.metrics = nil
            settings.traces?.headers = ["api-key": "secret"]
            settings.traces?.compresses = true
            _ = try await sending(settings) { try spans(100, $0) }
        }
        let delivery = try #require(collector.deliveries.first)
        #expect(delivery.headers["api-key"] == "secret")
        #expect(delivery.headers["content-encoding"] == "gzip")
        #expect(delivery.body.starts(with: [0x1F, 0x8B]) && delivery.body.count < 5_000)
    }

    @Test func certificatesThatAreNotThereAreAnErrorAtTheStart() {
        var settings = TelemetrySettings(serviceName: "bookings")
        settings.traces = OTLPEndpoint(url: "https://127.0.0.1:1")
        settings.traces?.authoritiesFile = "/nowhere.pem"
        #expect(throws: (any Error).self) { try Telemetry(settings) }
    }
}
