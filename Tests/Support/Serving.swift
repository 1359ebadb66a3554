import Logging
public import ServiceLifecycle

/// Runs something while a server listens, and then lets the server finish what it has begun.
///
/// A server that is cancelled leaves connections that it has accepted and not looked at, which NIO takes for a fault.
/// - Parameters:
///   - server: Makes the server, and calls back with its port.
///   - body: Is given the server's address.
public func whileServing<T: Sendable>(
    _ server: (@escaping @Sendable (Int) -> Void) throws -> any Service,
    _ body: (String) async throws -> T
) async throws -> T {
    let (ports, port) = AsyncStream<Int>.makeStream()
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let group = ServiceGroup(services: [try server { port.yield($0) }], logger: logger)
    async let running: Void = group.run()
    var numbers = ports.makeAsyncIterator()
    let result: Result<T, any Error>
    do {
        guard let number = await numbers.next() else { throw CancellationError() }
        result = .success(try await body("http://127.0.0.1:\(number)"))
    } catch {
        result = .failure(error)
    }
    await group.triggerGracefulShutdown()
    try await running
    return try result.get()
}
