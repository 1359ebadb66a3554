public import Dionysus
import Synchronization

/// Collects values from code under test, in order.
public final class Collected<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    public init() {}

    public var all: [Element] { elements.withLock { $0 } }

    public func add(_ element: Element) { elements.withLock { $0.append(element) } }
}

extension Collected: ErrorHandler where Element == ErrorContext {
    public func handle(_ error: any Error, _ context: ErrorContext) { add(context) }
}

extension Collected: Heartbeat where Element == VitalSign {
    public func record(_ vital: VitalSign) { add(vital) }
}
