import Dispatch

/// Where a transaction's synchronous body waits for the test, and the test for the body.
public struct Rendezvous: Sendable {
    private let arrivals: AsyncStream<Void>
    private let arrival: AsyncStream<Void>.Continuation
    private let permissions = DispatchSemaphore(value: 0)

    public init() { (arrivals, arrival) = AsyncStream.makeStream() }

    /// In the body: says that it is here, and waits until it may go on.
    public func arriveAndWait() {
        arrival.yield()
        permissions.wait()
    }

    /// In the test: waits until bodies are here.
    public func awaitArrivals(_ count: Int = 1) async {
        var iterator = arrivals.makeAsyncIterator()
        for _ in 0..<count { await iterator.next() }
    }

    /// In the test: lets bodies go on.
    public func letGo(_ count: Int = 1) {
        for _ in 0..<count { permissions.signal() }
    }
}
