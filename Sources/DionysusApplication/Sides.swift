public import DionysusConsumer
public import DionysusProducer

/// The producer of an application that publishes nothing.
public struct NoProducer: Producer {
    /// Creates it.
    package init() {}
    public var namespaces: [Namespace] { return [] }
}

/// The consumer of an application that consumes nothing.
public struct NoConsumer: Consumer {
    /// Creates it.
    package init() {}
    public var namespaces: [Namespace] { return [] }
}

extension DionysusApplication where ProducerDeclaration == NoProducer {
    /// Nothing is published.
    public var producer: NoProducer { NoProducer() }
}

extension DionysusApplication where ConsumerDeclaration == NoConsumer {
    /// Nothing is consumed.
    public var consumer: NoConsumer { NoConsumer() }
}

/// A side of an application.
enum Side: Sendable {
    case producer
    case consumer
}

extension DionysusApplication {
    static var hasProducer: Bool { ProducerDeclaration.self != NoProducer.self }
    static var hasConsumer: Bool { ConsumerDeclaration.self != NoConsumer.self }

    static func has(_ side: Side?) -> Bool {
        switch side {
        case .producer: hasProducer
        case .consumer: hasConsumer
        case nil: true
        }
    }
}
