from support.server import RunningServer


def test_a_hit_counts(any_server: RunningServer) -> None:
    assert any_server.get("/hit/example.com/visits").json() == {"value": 1}
    assert any_server.get("/get/example.com/visits").json() == {"value": 1}
    assert any_server.stop() == 0
